# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that need nothing running: style, types, lint, licences, Ansible's sanity tests, and what the tarball holds."""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from collection import CHECKOUT, build
from static import sanity
from static.tools import check

CODE = ["plugins", "extensions", "tests", "demo", "docsite"]
TYPED = ["plugins", "extensions/eda/plugins"]
COLLECTION = "ansible_collections/wirewatch/wireguard"
CORES = sanity.cores()
(OWN_CORE,) = [core for core in CORES if core.programs == Path(sys.executable).parent]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files as a collection tree: tools may write beside them."""
    return sanity.copy_tracked_files(CHECKOUT, tmp_path_factory.mktemp("copy"))


def test_ruff_finds_nothing() -> None:
    check(["ruff", "check", "--no-cache", *CODE])


def test_ruff_would_format_nothing() -> None:
    check(["ruff", "format", "--no-cache", "--check", *CODE])


def test_mypy_finds_nothing_in_what_ships_and_in_extensions(copy: Path, tmp_path: Path) -> None:
    settings = ["--config-file", str(CHECKOUT / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    places = [*TYPED, "extensions/molecule/network.py"]
    check(["mypy", *settings, *(f"{COLLECTION}/{place}" for place in places)], cwd=copy.parents[2])


def test_what_runs_on_managed_nodes_is_python_3_8() -> None:
    check(["vermin", "--target=3.8-", "--eval-annotations", "--no-tips", "--violations", "plugins"])


def test_yamllint_finds_nothing() -> None:
    check(["yamllint", "--strict", "."])


def test_ansible_lint_production_finds_nothing(copy: Path, tmp_path: Path) -> None:
    places = {"ANSIBLE_HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(copy.parents[2])}
    check(["ansible-lint", "--strict", "--offline", "--nocolor"], cwd=copy, **places)


def test_shellcheck_finds_nothing(copy: Path) -> None:
    files = [path for path in sorted(copy.rglob("*")) if path.is_file() and ".git" not in path.parts]
    scripts = [path for path in files if is_shell(path)]
    assert {path.name for path in scripts} >= {"run", "setup", "test"}
    check(["shellcheck", "--severity=style", *map(str, scripts)])


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".sh" or bool(re.match(rb"#!.*\b(ba|da)?sh\b", file.readline()))


def test_every_file_says_its_licence(copy: Path) -> None:
    check(["reuse", "lint", "--lines"], cwd=copy)
    # Galaxy reads the one, REUSE the other.
    assert (CHECKOUT / "LICENSE").read_bytes() == (CHECKOUT / "LICENSES/GPL-3.0-or-later.txt").read_bytes()


def test_the_changelog_fragments_are_sound() -> None:
    check(["antsibull-changelog", "lint"])


def test_the_oldest_ansible_core_that_is_promised_is_here() -> None:
    promised = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    assert f">={CORES[0].series}.0" == promised


# Those between the oldest, this environment's and the newest can hardly find what none of these finds.
@pytest.mark.parametrize(
    "core",
    [
        pytest.param(
            core, id=core.series, marks=[] if core in (CORES[0], CORES[-1], OWN_CORE) else pytest.mark.only_full
        )
        for core in CORES
    ],
)
def test_every_sanity_test_of_ansible_test_passes(core: sanity.Core, copy: Path) -> None:
    places = {"HOME": str(core.home()), "PATH": os.pathsep.join([str(core.programs), os.environ["PATH"]])}
    output = check([str(core.programs / "ansible-test"), "sanity", "--venv", "--color", "no"], cwd=copy, **places)
    # Without the means for one of them ansible-test skips it with a warning, and is content. Other versions of Python than
    # the system's are not to be had everywhere: vermin stands in for them.
    assert output.count("Running sanity test") >= 20, output
    skipped = [line for line in output.splitlines() if "Skipping sanity test" in line and " on Python " not in line]
    assert skipped == []


def test_plugins_import_with_extensions_deleted(copy: Path, tmp_path: Path) -> None:
    tree = tmp_path / COLLECTION
    shutil.copytree(copy / "plugins", tree / "plugins")
    modules = sorted(path.relative_to(tmp_path).with_suffix("") for path in tree.rglob("*.py"))
    names = [".".join(path.parts) for path in modules]
    assert any(name.endswith("wg_device_info") for name in names)
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)"
    check(["python", "-c", code, *names], PYTHONPATH=str(tmp_path))


def test_the_tarball_holds_what_users_need_and_nothing_else(tmp_path: Path) -> None:
    with tarfile.open(build(tmp_path)) as tarball:
        files = {member.name for member in tarball.getmembers() if member.isfile()}
    needed = {
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "meta/runtime.yml",
        "meta/extensions.yml",
        "meta/execution-environment.yml",
        "plugins/modules/wg_device_info.py",
        "plugins/modules/wg_facts.py",
        "plugins/modules/wg_peer_watch.py",
        "extensions/eda/plugins/event_source/wg_events.py",
        "extensions/eda/plugins/event_source/schemas/wg_events.json",
        "extensions/eda/plugins/event_filter/lift.py",
        "extensions/eda/rulebooks/restore.yml",
        "playbooks/restore.yml",
        "roles/mesh_check/meta/argument_specs.yml",
        "roles/prerequisites/meta/argument_specs.yml",
        "docs/events.md",
    }
    assert needed - files == set()
    allowed = ("plugins/", "extensions/eda/", "roles/", "playbooks/", "docs/", "meta/", "changelogs/changelog.yaml")
    top = {"README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "MANIFEST.json", "FILES.json"}
    assert {name for name in files if not name.startswith(allowed)} - top == set()
    assert {name for name in files if "__pycache__" in name or name.endswith(".pyc")} == set()


def test_galaxy_would_import_the_tarball_without_a_word(tmp_path: Path) -> None:
    # It runs ansible-lint in the unpacked tarball; ansible-test it would run in a container.
    settings = {
        "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
        "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(tmp_path / "lint"),
    }
    output = check(["python", "-m", "galaxy_importer.main", str(build(tmp_path))], cwd=tmp_path, **settings)
    assert "...ansible-lint run complete" in output, output
    assert "Importer processing completed successfully" in output, output
    assert [line for line in output.splitlines() if line.startswith(("WARNING", "ERROR", "CRITICAL"))] == []


def test_antsibull_docs_finds_nothing(copy: Path) -> None:
    options = ["--plugin-docs", "--validate-collection-refs=all", "--disallow-unknown-collection-refs"]
    check(["antsibull-docs", "lint-collection-docs", *options, str(copy)])


def test_an_execution_environment_gets_what_the_plugins_import(copy: Path) -> None:
    output = check(["ansible-builder", "introspect", str(copy.parents[2])])
    (requirement,) = yaml.safe_load(output)["python"]
    assert requirement.split("#")[0].strip() == "pyroute2>=0.7.2", output
    assert yaml.safe_load(output)["system"] == []
    files = [path for folder in TYPED for path in (copy / folder).rglob("*.py")]
    imported = {name for path in files for name in imports(path)} - sys.stdlib_module_names
    # confluent-kafka is for hosts that publish, which no environment is; the rest comes with Ansible.
    assert imported - {"ansible", "ansible_collections", "jinja2", "yaml"} == {"pyroute2", "confluent_kafka"}


def imports(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("folder", ["plugins", "extensions"])
def test_no_file_is_long(folder: str) -> None:
    """Documentation blocks aside: a file that long has more than one reason to change."""
    lengths = {}
    for path in (CHECKOUT / folder).rglob("*.py"):
        parts = path.read_text(encoding="utf-8").split('r"""')
        code = parts[0] + "".join(part.partition('"""')[2] for part in parts[1:])
        lengths[str(path.relative_to(CHECKOUT))] = code.count("\n")
    assert {name: length for name, length in lengths.items() if length > 400} == {}
