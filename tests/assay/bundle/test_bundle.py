"""Whatever is altered in a bundle is found, and named; what is whole is verified offline."""

from __future__ import annotations

import base64
import io
import json
import random
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448

from guardrails.assay.bundle import archive
from guardrails.assay.bundle.envelope import (
    PAYLOAD_TYPE,
    EnvelopeError,
    canonical,
    opened,
    pre_authentication,
    sealed,
)
from guardrails.assay.bundle.keys import key_id, new_key, private_key, to_pem
from guardrails.assay.bundle.manifest import EVAL_STATEMENT, MANIFEST, TEST_STATEMENT, fits
from guardrails.assay.bundle.statements import digest_of, eval_result
from guardrails.assay.bundle.statements import test_result as outcome_of
from guardrails.assay.bundle.verify import Verification, verify
from guardrails.assay.bundle.write import bundle as write_bundle
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult

from .archives import members, packed


def test_a_bundle_is_whole_and_names_its_signer(bundle: Path, key: Path) -> None:
    seen = verify(bundle, key=key)
    assert seen.problems == []
    assert seen.remarks == []
    assert seen.key_id == key_id(private_key(key).public_key())
    assert seen.result is not None
    assert seen.result.verdict == "pass"


def test_without_a_key_the_signature_proves_integrity_alone(bundle: Path) -> None:
    seen = verify(bundle)
    assert seen.ok
    assert any("not who signed" in remark for remark in seen.remarks)


def test_tar_reads_it_and_it_is_the_same_each_time(bundle: Path, run: Path, key: Path, tmp_path: Path) -> None:
    again = write_bundle(run, tmp_path / "again.tar", key=key)
    assert again.file.read_bytes() == bundle.read_bytes()
    contents = members(bundle)
    assert contents["result.json"] == (run / "result.json").read_bytes()
    assert contents["media/one.png"] == (run / "media" / "one.png").read_bytes()
    assert b"\nnumpy==" in contents["environment.txt"]


def test_two_hundred_flipped_bits_are_all_found(bundle: Path, key: Path, tmp_path: Path) -> None:
    whole, rng = bundle.read_bytes(), random.Random(7)
    file = tmp_path / "flipped.tar"
    for place in [*rng.sample(range(len(whole)), 150), *range(0, 512, 16), *range(len(whole) - 18, len(whole))]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        file.write_bytes(flipped)
        assert verify(file, key=key).problems, place


def test_a_digest_beside_it_is_compared(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(bundle, tmp_path / "b.tar"))
    assert any("compared with nothing" in remark for remark in verify(copy).remarks)
    (tmp_path / "b.tar.sha256").write_text("0" * 64 + "  b.tar\n")
    assert verify(copy).problems == ["its SHA-256 is not the one in b.tar.sha256"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_digest_beside_it_may_be_of_another_tool(encoding: str, bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(bundle, tmp_path / "b.tar"))
    digest = digest_of(copy.read_bytes()).upper()
    (tmp_path / "b.tar.sha256").write_text(f"SHA256 (b.tar) = {digest}\r\n", encoding=encoding)
    seen = verify(copy)
    assert seen.ok
    assert not any("compared with nothing" in remark for remark in seen.remarks)


@pytest.mark.parametrize("cut", [0, 100, 5000, -1, -10240])
def test_a_cut_off_bundle_is_none(bundle: Path, tmp_path: Path, cut: int) -> None:
    file = tmp_path / "cut.tar"
    file.write_bytes(bundle.read_bytes()[:cut])
    assert verify(file).problems


def test_what_follows_the_end_is_found(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "longer.tar"
    file.write_bytes(bundle.read_bytes() + bytes(10240))
    assert verify(file).problems == ["the archive does not end where it was written to end"]


def test_an_altered_member_is_named(bundle: Path, tmp_path: Path) -> None:
    contents = members(bundle)
    contents["media/one.png"] = contents["media/one.png"].replace(b"\x07", b"\x08")
    assert verify(packed(contents, tmp_path / "b.tar")).problems == ["media/one.png: altered: its SHA-256 is another"]


def test_a_stripped_signature(bundle: Path, tmp_path: Path) -> None:
    contents = members(bundle)
    envelope = json.loads(contents[TEST_STATEMENT])
    contents[TEST_STATEMENT] = canonical(envelope | {"signatures": []})
    assert "its signature was removed" in " ".join(verify(packed(contents, tmp_path / "b.tar")).problems)


def test_a_foreign_key(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text(to_pem(new_key().public_key()))
    seen = verify(bundle, key=other)
    assert any("signed by another key" in problem for problem in seen.problems)
    assert any("carries another key" in problem for problem in seen.problems)


def test_a_whole_bundle_signed_anew_is_told_from_the_signer_s(
    bundle: Path, run: Path, key: Path, tmp_path: Path
) -> None:
    forged = write_bundle(run, tmp_path / "forged.tar").file
    assert verify(forged).ok
    assert verify(forged, key=key).problems


def test_a_swapped_result(bundle: Path, run: Path, tmp_path: Path) -> None:
    contents = members(bundle)
    result = AuditResult.from_json(contents["result.json"].decode())
    contents["result.json"] = result.model_copy(update={"seed": 8}).to_json().encode()
    problems = verify(packed(contents, tmp_path / "b.tar")).problems
    assert any(problem.startswith("result.json") for problem in problems)


def test_a_result_that_contradicts_itself_is_found_although_it_is_signed(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    result = AuditResult.from_json((other / "result.json").read_text())
    worse = result.findings[0].measurement.model_copy(update={"value": 0.9, "low": 0.8, "high": 0.95})  # type: ignore[union-attr]
    finding = result.findings[0].model_copy(update={"measurement": worse})
    (other / "result.json").write_text(result.model_copy(update={"findings": (finding,)}).to_json())
    seen = verify(write_bundle(other, tmp_path / "b.tar").file)
    assert any("say fail" in problem for problem in seen.problems)
    assert verify(other).problems == seen.problems


def test_a_result_whose_policy_was_taken_out_is_altered(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    document = json.loads((other / "result.json").read_text()) | {"policy_record": None, "sha256": None}
    (other / "result.json").write_text(json.dumps(document))
    assert any("its policy was taken out" in problem for problem in verify(other).problems)
    unversioned = {key: value for key, value in document.items() if key != "schema_version"}
    (other / "result.json").write_text(json.dumps(unversioned))
    assert any("its policy was taken out" in problem for problem in verify(other).problems)
    (other / "result.json").write_text(json.dumps(document | {"schema_version": "1.4"}))
    assert any("before schema 1.5" in remark for remark in verify(other).remarks)


def test_a_statement_about_another_run_is_found(bundle: Path, key: Path, tmp_path: Path) -> None:
    contents = members(bundle)
    value = json.loads(base64.b64decode(json.loads(contents[EVAL_STATEMENT])["payload"]))
    value["predicate"]["claims"][0]["passed"] = False
    contents[EVAL_STATEMENT] = sealed(value, private_key(key))
    assert verify(packed(contents, tmp_path / "b.tar"), key=key).problems == [
        f"{EVAL_STATEMENT} does not say what the result and the manifest say"
    ]


def signed(contents: dict[str, bytes], file: Path, *, pem: str | None = None, **files: bytes) -> Path:
    """Write a bundle of the same run with other files, signed anew as a whole by whoever altered it."""
    signer = new_key()
    result, manifest = contents["result.json"], json.loads(contents[MANIFEST])
    manifest["public_key"] = pem or to_pem(signer.public_key())
    manifest["files"] += [{"name": name, "bytes": len(text), "sha256": digest_of(text)} for name, text in files.items()]
    text = canonical(manifest)
    audited = AuditResult.from_json(result.decode())
    heads = {
        TEST_STATEMENT: sealed(outcome_of(audited, text), signer),
        EVAL_STATEMENT: sealed(eval_result(audited, result, manifest["before_collection"]), signer),
        MANIFEST: text,
    }
    rest = {name: content for name, content in contents.items() if name not in heads}
    with file.open("wb") as stream:
        for name, content in [*heads.items(), *rest.items(), *files.items()]:
            archive.add(stream, name, len(content), io.BytesIO(content))
        stream.write(bytes(archive.end(stream.tell())))
    return file


def test_a_bundle_signed_anew_is_whole(bundle: Path, tmp_path: Path) -> None:
    """What the next tests refuse is refused for what it holds, not for how they sign it."""
    assert verify(signed(members(bundle), tmp_path / "b.tar", extra=b"1")).problems == []


@pytest.mark.parametrize("name", ["result.json", "manifest.json", "test-result.dsse.json"])
def test_a_name_that_an_archive_holds_twice_is_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    seen = verify(signed(members(bundle), tmp_path / "b.tar", **{name: b"{}"}))
    assert any("names a file twice" in problem for problem in seen.problems)


@pytest.mark.parametrize("size", [8**11, 10**30])
def test_a_size_that_no_archive_holds_is_refused(size: int, bundle: Path, tmp_path: Path) -> None:
    contents = members(bundle)
    manifest = json.loads(contents[MANIFEST])
    manifest["files"][-1]["bytes"] = size
    contents[MANIFEST] = canonical(manifest)
    assert "its beginning was altered" in verify(packed(contents, tmp_path / "b.tar")).problems[0]


def test_a_bundle_that_carries_a_key_of_another_kind_is_refused(bundle: Path, tmp_path: Path) -> None:
    for other in (ec.generate_private_key(ec.SECP256R1()), ed448.Ed448PrivateKey.generate()):
        pem = to_pem(other.public_key())  # type: ignore[arg-type]
        assert "Ed25519" in verify(signed(members(bundle), tmp_path / "b.tar", pem=pem)).problems[0]


@pytest.mark.parametrize(
    ("payload", "payload_type", "message"),
    [
        (b"no JSON", PAYLOAD_TYPE, "holds no JSON"),
        (b"[" * 100_000, PAYLOAD_TYPE, "holds no JSON"),
        (b"[]\n", PAYLOAD_TYPE, "no in-toto Statement"),
        (b'{"_type":"x","_type":"https://in-toto.io/Statement/v1"}\n', PAYLOAD_TYPE, "not written as"),
        (b"{}\n", "\ud800", "not a DSSE envelope"),
    ],
)
def test_an_odd_envelope_is_named_although_it_is_signed(payload: bytes, payload_type: str, message: str) -> None:
    signer = new_key()
    signature = {
        "keyid": key_id(signer.public_key()),
        "sig": base64.b64encode(signer.sign(pre_authentication(payload))).decode(),
    }
    envelope = {
        "payloadType": payload_type, "payload": base64.b64encode(payload).decode(), "signatures": [signature],
    }  # fmt: skip
    with pytest.raises(EnvelopeError, match=message):
        opened(canonical(envelope), signer.public_key())


def test_no_signature_is_said_to_fit_that_does_not(bundle: Path, tmp_path: Path) -> None:
    contents = members(bundle)
    envelope = json.loads(contents[TEST_STATEMENT])
    envelope["signatures"][0]["sig"] = base64.b64encode(bytes(64)).decode()
    contents[TEST_STATEMENT] = canonical(envelope)
    seen = verify(packed(contents, tmp_path / "b.tar"))
    assert any("does not fit" in problem for problem in seen.problems)
    assert not any("fits the key" in remark for remark in seen.remarks)


def test_a_pass_without_a_measurement_is_no_claim(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    result = AuditResult.from_json((other / "result.json").read_text())
    finding = result.findings[0].model_copy(update={"measurement": None})
    (other / "result.json").write_text(result.model_copy(update={"findings": (finding,)}).to_json())
    seen = verify(write_bundle(other, tmp_path / "b.tar").file)
    assert any("without a measurement" in problem for problem in seen.problems)


def test_withheld_samples_stay_by_digest(run: Path, key: Path, tmp_path: Path) -> None:
    made = write_bundle(run, tmp_path / "b.tar", key=key, withhold_samples=True)
    contents = members(made.file)
    assert not {"journal.sqlite", "media/one.png"} & contents.keys()
    withheld = json.loads(contents[MANIFEST])["withheld"]
    assert {record["name"] for record in withheld} >= {"journal.sqlite", "media/one.png"}
    rows = [json.loads(line) for line in contents["samples.jsonl"].splitlines()]
    assert {(row["series"], row["item"]) for row in rows} >= {("fake.yes|target", "0000")}
    seen = verify(made.file, key=key)
    assert seen.ok
    assert any("withheld" in remark for remark in seen.remarks)


def test_the_eval_result_says_how_good_the_instrument_is(bundle: Path) -> None:
    value = json.loads(base64.b64decode(json.loads(members(bundle)[EVAL_STATEMENT])["payload"]))
    predicate = value["predicate"]
    [instrument] = predicate["instruments"]
    assert {control["expected"]: control["behaved"] for control in instrument["controls"]} == {
        "found": True,
        "clear": True,
    }
    assert instrument["spike"]["smallest_dose"] is not None
    assert predicate["claims"][0]["passed"] is True
    assert len(predicate["preRegistration"]["value"]) == 64


def test_what_was_settled_before_the_first_sample_is_in_the_manifest(bundle: Path, run: Path) -> None:
    before = json.loads(members(bundle)[MANIFEST])["before_collection"]
    value = json.loads(base64.b64decode(json.loads(members(bundle)[EVAL_STATEMENT])["payload"]))
    assert value["predicate"]["preRegistration"]["value"] == before


def test_the_folder_of_a_run_is_not_signed(run: Path, key: Path) -> None:
    seen = verify(run)
    assert seen.ok
    assert "not signed" in seen.remarks[0]
    with pytest.raises(ConfigurationError, match="no signature"):
        verify(run, key=key)


def test_nothing_is_overwritten_and_a_folder_without_a_result_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists already"):
        write_bundle(run, tmp_path / "b.tar")
    with pytest.raises(ConfigurationError, match="finished audit"):
        write_bundle(tmp_path, tmp_path / "c.tar")
    assert (tmp_path / "b.tar").read_text() == "mine"


def test_links_and_odd_names_in_a_run_are_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    (other / "media" / "a\nb.png").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="move it elsewhere"):
        write_bundle(other, tmp_path / "b.tar")
    (other / "media" / "a\nb.png").unlink()
    (other / "media" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(ConfigurationError, match="is a link"):
        write_bundle(other, tmp_path / "b.tar")


@pytest.mark.parametrize("content", [b"not a bundle", b"\x1f\x8b" + bytes(600), bytes(20480)])
def test_a_file_that_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(content)
    seen: Verification = verify(file)
    assert seen.problems[0].startswith("not a bundle")


def test_the_message_that_dsse_signs() -> None:
    # The example of the specification (DSSE v1, protocol.md).
    assert pre_authentication(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", ".x", "a//b", "a\\b", "a b", "ä", "x" * 101, "", "a/"])
def test_names_that_leave_a_bundle(name: str) -> None:
    assert not fits(name)
