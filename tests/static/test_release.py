# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/release, on a copy of the checkout: what it makes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from collection import CHECKOUT
from static.sanity import copy_tracked_files

VERSION = "9.8.7"
TARBALL = f"wirewatch-wireguard-{VERSION}.tar.gz"
FRAGMENT = "---\nbugfixes:\n  - everything - %s.\n"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def git(checkout: Path, *arguments: str) -> str:
    who = ["-c", "user.name=wirewatch developers", "-c", "user.email=nobody@example.org"]
    done = run("git", *who, *arguments, cwd=checkout)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(checkout: Path) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "As it is")


def release(checkout: Path, version: str) -> str:
    done = run("scripts/release", version, cwd=checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean checkout with a change to tell of."""
    folder = copy_tracked_files(CHECKOUT, tmp_path_factory.mktemp("release"))
    (folder / "changelogs/fragments/test.yml").write_text(FRAGMENT % "works", encoding="utf-8")
    commit(folder)
    return folder


def test_a_release_is_a_tarball_the_zip_the_notes_and_their_sums(checkout: Path) -> None:
    # What git ignores is not released.
    (checkout / "docs/only-here.pyz").write_text("", encoding="utf-8")
    said = release(checkout, VERSION)
    for step in (f'git commit -m "Release {VERSION}"', f"git tag -s v{VERSION}", f"publish dist/{TARBALL}"):
        assert step in said
    dist = checkout / "dist"
    names = {TARBALL, "wirewatch.pyz", f"notes-{VERSION}.md"}
    assert {path.name for path in dist.iterdir()} == {*names, "SHA256SUMS"}
    assert {line.split()[1] for line in (dist / "SHA256SUMS").read_text(encoding="utf-8").splitlines()} == names
    assert run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=dist).returncode == 0
    assert run("dist/wirewatch.pyz", "--version", cwd=checkout).stdout == f"wirewatch {VERSION}\n"
    with tarfile.open(dist / TARBALL) as tarball:
        packed = tarball.getnames()
        manifest = json.load(tarball.extractfile("MANIFEST.json"))
        changelog = tarball.extractfile("CHANGELOG.md").read().decode()
    assert manifest["collection_info"]["version"] == VERSION
    assert [name for name in packed if name.endswith(".pyz") or name.startswith("changelogs/fragments")] == []
    notes = (dist / f"notes-{VERSION}.md").read_text(encoding="utf-8")
    for text in (changelog, notes):
        assert r"* everything \- works\." in text
    # The notes are of this version, the changelog is of all.
    assert (r"v0\.1\.0" in notes, r"v0\.1\.0" in changelog) == (False, True)
    assert list((checkout / "changelogs/fragments").glob("*.yml")) == []
    assert git(checkout, "diff", "--name-only") == "", "what changed is staged"


def test_until_it_is_tagged_it_is_made_anew_with_what_came_since(checkout: Path) -> None:
    (checkout / "changelogs/fragments/late.yml").write_text(FRAGMENT % "works again", encoding="utf-8")
    commit(checkout)
    release(checkout, VERSION)
    notes = (checkout / "dist" / f"notes-{VERSION}.md").read_text(encoding="utf-8")
    assert r"* everything \- works\." in notes
    assert r"* everything \- works again\." in notes


def test_what_can_not_be_a_release_is_refused_and_changes_nothing(checkout: Path) -> None:
    commit(checkout)
    git(checkout, "tag", f"v{VERSION}")
    for version, why in {
        "": "say which version",
        "1.0": "say which version",
        "9.8.6": f"9.8.6 is older than {VERSION}",
        VERSION: f"v{VERSION} is tagged already",
    }.items():
        done = run("scripts/release", version, cwd=checkout)
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert git(checkout, "status", "--porcelain") == ""
    (checkout / "README.md").write_text("other", encoding="utf-8")
    done = run("scripts/release", "9.9.0", cwd=checkout)
    assert (done.returncode, "changes that are not committed" in done.stderr) == (1, True), done.stderr
    assert git(checkout, "status", "--porcelain") == " M README.md\n"
