"""What was audited, as the result says it."""

from __future__ import annotations

from ...core.results import TargetRecord
from ...core.subject import Subject
from .inputs import Records
from .plan import DATA


def record(
    subject: Subject, name: str, identity: dict[str, str] | None = None, inputs: Records | None = None
) -> TargetRecord:
    """Return what was audited, with what access and what data beside it."""
    target = subject.target
    given = {k: len(getattr(subject, k)) for k in DATA if subject.has(k)}
    data = {
        str(k): f"{subject.data_names.get(k, 'its own')} ({n:,} item{'' if n == 1 else 's'})" for k, n in given.items()
    }
    return TargetRecord(
        name=name,
        modality=target.modality,
        access=tuple(sorted(target.access)),
        identity=target.identity() if identity is None else identity,
        data=data,
        read_as=dict(subject.read_as),
        inputs=inputs or {},
    )
