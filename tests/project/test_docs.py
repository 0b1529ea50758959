"""The documentation: what it shows runs, what it links to exists, and nothing has been left out."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import robust_envs
from robust_envs import AmbiguitySet, UncertaintySet, natures

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if SNIPPET.search(page.read_text())], ids=name)
def test_the_code_on_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = SNIPPET.findall(page.read_text())
    if any(word in block for block in code for word in ("algos", "torch")):
        pytest.importorskip("torch")
    namespace: dict[str, object] = {"__name__": "__page__"}
    for block in code:
        exec(compile(block, name(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def concrete(base: type) -> set[str]:
    things = {thing for thing in vars(robust_envs).values() if inspect.isclass(thing) and issubclass(thing, base)}
    return {thing.__name__ for thing in things if not inspect.isabstract(thing)}


def test_every_set_has_a_page():
    pages = {page.stem for page in (ROOT / "docs" / "sets").glob("*.md")}
    kinds = concrete(UncertaintySet) | concrete(AmbiguitySet)
    made = {"joint", "per_episode", "per_state", "intersection"}  # their classes are made by a function
    assert pages == {kind.lower() for kind in kinds} | made


def test_every_set_has_a_picture_that_its_page_shows_and_describes():
    folder = ROOT / "docs" / "sets"
    for page in folder.glob("*.md"):
        shown = re.findall(r"!\[([^\]]+)\]\((pictures/[^)]+)\)", page.read_text())
        assert [file for _, file in shown] == [f"pictures/{page.stem}.png"], page
        assert len(shown[0][0]) > 40, page
        assert (folder / shown[0][1]).stat().st_size < 40_000, page


def test_the_pictures_can_be_drawn_again(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(ROOT / "docs")
    import pictures

    assert {f"{one}.md" for one in pictures.PICTURES} == {page.name for page in (ROOT / "docs" / "sets").glob("*.md")}
    for one in ("l2", "finite", "kl", "scenarios"):
        assert pictures.draw(one, tmp_path).read_bytes().startswith(b"\x89PNG")


def test_every_nature_has_a_page():
    pages = {page.stem for page in (ROOT / "docs" / "natures").glob("*.md")}
    kinds = [kind for kind in natures.__all__ if inspect.isclass(getattr(natures, kind)) and kind != "Move"]
    assert pages == {kind.lower() for kind in kinds} | {"callable"}


def test_the_site_lists_every_page():
    listed = set(re.findall(r"([\w/-]+\.md)", (ROOT / "docs" / "site" / "mkdocs.yml").read_text()))
    assert listed == {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def test_the_command_line_page_names_every_task_and_command():
    pytest.importorskip("torch")
    from algos.experiments import TASKS
    from robust_envs.commands import COMMANDS

    page = (ROOT / "docs" / "command-line.md").read_text()
    assert [task for task in TASKS if f"| `{task}` |" not in page] == []
    assert re.findall(r"^## ([a-z]+)$", page, re.MULTILINE) == list(COMMANDS)


def test_the_table_of_what_plays_where_is_what_the_code_does():
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("support_table", ROOT / "docs" / "site" / "support_table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    written = (ROOT / "docs" / "support.md").read_text()
    assert table.page().rstrip() == written.rstrip(), "run: python docs/site/support_table.py"
    bare = {re.match(r"\w+", line[3:])[0] for line in written.splitlines() if line.startswith("| `")}
    kinds = {kind for kind in natures.__all__ if inspect.isclass(getattr(natures, kind)) and kind != "Move"}
    assert bare == {kind.replace("Scheduled", "scheduled") for kind in kinds}
