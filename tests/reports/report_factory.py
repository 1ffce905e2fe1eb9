"""Results to render: an audit with every status, a self-check, one full of hostile strings, one far too long."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

from report_parts import EXCERPT, POWER, controls, extraction, findings, framework_control, measurement, policy_record

from guardrails.core.results import (
    AuditResult,
    Baseline,
    ControlOutcome,
    Evidence,
    FrameworkRef,
    NotTested,
    Point,
    PolicyThreshold,
    Series,
    SpikeOutcome,
    Status,
    TargetRecord,
    Threshold,
    Timing,
)

__all__ = [
    "audit",
    "controls",
    "extraction",
    "findings",
    "framework_control",
    "hostile",
    "huge",
    "measurement",
    "png",
    "policy_record",
    "self_check",
    "with_pictures",
]

PAYLOADS: tuple[str, ...] = tuple(json.loads(Path(__file__).with_name("payloads.json").read_text("utf-8")))


def audit(**more: object) -> AuditResult:
    fields: dict[str, object] = {
        "guardrails_version": "0.1.0",
        "kind": "audit",
        "verdict": "fail",
        "exit_code": 1,
        "targets": (
            TargetRecord(
                name="hf:models/storyteller",
                modality="text",
                access=("sampling", "logprobs", "weights"),
                identity={"weights sha256": "9f2c" * 16, "tokenizer sha256": "51ab" * 16, "parameters": "134,515,008"},
                data={"corpus": "train.jsonl, 12,480 documents", "holdout": "test.jsonl, 1,560 documents"},
            ),
        ),
        "findings": findings(),
        "not_tested": (
            NotTested(what="Paraphrased copies of training data", why="no check for them yet"),
            NotTested(what="Languages other than English", why="the templates and the corpus are English"),
            NotTested(what="Membership of single documents", why="needs access 'logprobs'"),
            NotTested(what="Misuse and refusals", why="left out by --probes"),
        ),
        "policy": "default",
        "policy_sha256": "",
        "seed": 0,
        "budget": "standard",
        "command": "guardrails audit hf:models/storyteller --corpus train.jsonl --holdout test.jsonl --seed 0",
        "environment": {"python": "3.11.9", "torch": "2.13.0", "transformers": "5.23.0", "platform": "Linux x86_64"},
        "timing": Timing(
            started="2026-11-23T09:14:05Z",
            seconds=412.6,
            per_probe={"memorization.extraction": 201.3, "privacy.pii": 88.0},
        ),
    }
    result = AuditResult.model_validate({**fields, **more})
    if more.keys() & {"policy_record", "policy_sha256"}:
        return result
    record = policy_record(
        framework_control("R1", "memorization.extraction", "privacy.pii"),
        framework_control("R2", absent=("misuse.*",), confidence="low"),
        framework_control("R3", testable=False),
        thresholds=tuple(
            {(f.probe, f.threshold.metric): PolicyThreshold(probe=f.probe, **f.threshold.model_dump())
             for f in result.findings if f.threshold}.values()
        ),
    )  # fmt: skip
    return result.model_copy(update={"policy_record": record, "policy_sha256": record.sha256})


def self_check(*, broken: bool = False) -> AuditResult:
    plans = {
        "text": (("memorization.extraction", "memorize"), ("privacy.pii", "pii"), ("bias.counterfactual", "bias")),
        "image": (("memorization.images", "memorize"), ("quality.diversity", "collapse")),
    }
    generators = {"text": ("gpt-text",), "image": ("vae-medical", "gan-art")}
    out, targets = [], []
    for modality, probes in plans.items():
        for generator in generators[modality]:
            for dial in (
                "",
                *(d for _, d in probes if (generator, d) not in {("vae-medical", "collapse"), ("gan-art", "memorize")}),
            ):
                name = f"reference:{generator}" + (f",{dial}=1" if dial else "")
                targets.append(
                    TargetRecord(name=name, modality=modality, access=("sampling",), identity={"sha256": "ab12" * 16})
                )
                for probe, fault in probes:
                    planted = fault == dial
                    wrong = broken and probe == "privacy.pii" and planted
                    value = (0.91, 0.87, 0.94) if planted and not wrong else (0.0, 0.0, 0.0049)
                    out.append(
                        extraction(
                            id=f"{probe}/verbatim_rate@{name}",
                            probe=probe,
                            title=probe.split(".")[1].capitalize(),
                            expected="found" if planted else "clear",
                            status=Status.FAIL if planted and not wrong else Status.PASS,
                            measurement=measurement(*value, probe=probe),
                            details=(),
                            command=f"guardrails audit {name} --probes {probe}",
                        )
                    )
    return audit(
        kind="self-check",
        verdict="control-failed" if broken else "pass",
        exit_code=4 if broken else 0,
        targets=tuple(targets),
        findings=tuple(out),
        command="guardrails audit",
    )


def hostile() -> AuditResult:
    """Return a result in which every free string is a payload."""
    every = "\n".join(PAYLOADS)
    out = []
    for i, p in enumerate(PAYLOADS):
        evidence = (
            Evidence(kind="excerpt", caption=p, text=p),
            Evidence(kind="table", caption=p, columns=(p, "b"), rows=((p, p),)),
            Evidence(kind="images", caption=p, media=(p, "../../etc/passwd", "/etc/passwd", "media/../result.json")),
        )
        m = measurement(
            0.5,
            0.4,
            0.6,
            metric=p,
            method=p,
            explanation=p,
            evidence=evidence,
            unit="share" if i % 2 else p,
            probe=p,
            baseline=Baseline(what=p, value=0.1),
            series=(Series(name=p, x_label=p, y_label=p, points=(Point(x=p, y=1.0), Point(x=p, y=2.0))),),
        )
        out.append(
            extraction(
                id=p,
                probe=p,
                title=p,
                question=p,
                limits=p,
                risk=p,
                reason=p,
                advice=p,
                command=p,
                measurement=m,
                details=(m,),
                status=list(Status)[i % 5],
                threshold=Threshold(metric=p, limit=0.2, origin=p),
                controls=(
                    ControlOutcome(
                        source=p, expected="found", observed="found", value=0.9, low=0.8, high=1.0, reason=p
                    ),
                ),
                spike=SpikeOutcome(what=p, planted=1, reason=p),
                power=POWER.model_copy(update={"positive": p, "negative": p}),
                frameworks=(
                    FrameworkRef(framework=p, edition=p, id=p, title=p, source_url=p, retrieved=p, confidence="low"),
                ),
            )
        )
    target = TargetRecord(
        name=every,
        modality="text",
        access=PAYLOADS,
        identity=dict.fromkeys(PAYLOADS, every),
        data=dict.fromkeys(PAYLOADS, every),
    )
    return audit(
        targets=(target,),
        findings=tuple(out),
        not_tested=tuple(NotTested(what=p, why=p) for p in PAYLOADS),
        policy=every,
        policy_record=policy_record(
            *(
                framework_control(
                    p,
                    p,
                    framework=p,
                    edition=p,
                    title=p,
                    source_url=p,
                    retrieved=p,
                    gap=p,
                    absent=(p,),
                    testable=i % 3 > 0,
                )
                for i, p in enumerate(PAYLOADS)
            ),
            name=every,
        ),
        budget=every,
        command=every,
        environment=dict.fromkeys(PAYLOADS, every),
        guardrails_version=every,
        timing=Timing(started=every, seconds=1.0, per_probe=dict.fromkeys(PAYLOADS, 1.0)),
    )


def huge() -> AuditResult:
    """Return a result whose plain rendering would take hundreds of megabytes."""
    text = "<&\u202e\x00>" * 4_000
    big = extraction(
        title=text,
        question=text,
        advice=text,
        measurement=measurement(
            0.5,
            0.4,
            0.6,
            explanation=text,
            evidence=tuple(Evidence(kind="excerpt", caption=text, text=text) for _ in range(50)),
        ),
    )
    target = (
        audit().targets[0].model_copy(update={"name": text, "identity": {f"{i}{text[:100]}": text for i in range(300)}})
    )
    return audit(
        findings=(big,) * 500,
        targets=(target,) * 90,
        not_tested=(NotTested(what=text, why=text),) * 500,
        environment={str(i): text for i in range(500)},
        command=text,
    )


def png(path: Path, side: int = 32, *, shade: int = 0) -> Path:
    """Write a small grey gradient."""
    rows = b"".join(b"\0" + bytes((x * 7 + y * 3 + shade) % 256 for x in range(side)) for y in range(side))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return path


def with_pictures(folder: Path, count: int = 6) -> AuditResult:
    """Return an audit whose first finding shows pictures of the folder's ``media/``."""
    media = tuple(f"media/pair-{i}.png" for i in range(count))
    for i, name in enumerate(media):
        png(folder / name, shade=20 * i)
    images = Evidence(kind="images", caption="Output beside its nearest training picture", media=media)
    m = extraction().measurement
    assert m is not None
    m = m.model_copy(update={"evidence": (EXCERPT, images)})
    return audit(findings=(extraction(measurement=m), *findings()[1:]))
