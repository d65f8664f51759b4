"""The tests themselves: they follow the project's lints."""

from pathlib import Path

from conftest import REPOSITORY, run


def test_the_python_files_pass_the_linter_and_a_fault_fails_it(tmp_path: Path) -> None:
    settings = REPOSITORY / "deploy/test/pyproject.toml"
    checked = run("ruff", "check", "--config", settings, REPOSITORY / "deploy")
    assert checked.returncode == 0, checked.stdout
    fault = tmp_path / "fault.py"
    fault.write_text("import os\n")
    assert run("ruff", "check", "--config", settings, fault).returncode == 1


def test_the_shell_scripts_pass_the_linter_and_a_fault_fails_it(tmp_path: Path) -> None:
    scripts = [REPOSITORY / path for path in ("test", ".ci/run", "deploy/test/run", "measure/run", "examples/cluster")]
    scripts += [REPOSITORY / "deploy/linux/debian" / name for name in ("postinst", "prerm", "postrm")]
    checked = run("shellcheck", "--external-sources", *scripts, cwd=REPOSITORY)
    assert checked.returncode == 0, checked.stdout
    fault = tmp_path / "fault.sh"
    fault.write_text("#!/bin/sh\nrm $1\n")
    assert run("shellcheck", fault).returncode == 1
