"""The teacher's guide: plans without gaps, sections that exist, and an exam whose numbers are right."""

import math
import re
import sys
from pathlib import Path

import pytest
import torch

from mvit2_lib import SeparableSelfAttention, cost

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
EXAM = (ROOT / "docs" / "exam.md").read_text(encoding="utf-8")
sys.path.insert(0, str(ROOT / "docs"))
pages = pytest.importorskip("pages")


def part(title):
    return GUIDE.partition(f"{title}\n")[2].partition("\n#")[0]


@pytest.mark.parametrize(
    ("title", "minutes"),
    [
        ("## A seminar of 90 minutes", 90),
        ("## A workshop of half a day", 240),
        ("### Week 1: one question instead of many", 90),
        ("### Week 2: what it costs, and what it saves", 90),
        ("### Week 3: the network", 90),
        ("### Week 4: to work", 90),
    ],
)
def test_a_plan_has_no_gap_and_takes_the_minutes_of_its_title(title, minutes):
    starts, ends, _ = zip(*pages.plan(title), strict=True)
    assert starts == (0, *ends[:-1])
    assert ends[-1] == minutes


def test_the_guide_speaks_of_sections_that_exist_and_of_every_notebook():
    linked = [GUIDE]
    pages.link_sections(None, "teaching", linked)  # raises where there is no such section
    assert linked[0].count("notebooks/") == len(pages.SECTION.findall(GUIDE)) > 80
    beliefs = part("## What people believe, and the cell that shows otherwise")
    for path in pages.NOTEBOOKS:
        assert len(re.findall(rf"^\|.*\| {path.name[:2]} \*", beliefs, re.MULTILINE)) >= 2, path.name
    assert all(match["slide"] for match in pages.SECTION.finditer(beliefs))
    with pytest.raises(KeyError, match="no section 'Nothing'"):
        pages.link_sections(None, "teaching", ["see 01 *Nothing*"])
    with pytest.raises(KeyError, match="0 slides begin with 'Nothing'"):
        pages.link_sections(None, "teaching", ["see 01 *Several heads* › *Nothing*"])


def test_there_are_five_discussion_questions_and_three_for_the_exam():
    assert len(re.findall(r"^\*\*\d\. .+\?\*\*\n\w", part("## Five questions to discuss"), re.MULTILINE)) == 5
    points = re.findall(r"^\d\. \*\*.+? \((\d+) points\)", part("## An exam"), re.MULTILINE)
    assert points == ["10", "10", "10"]
    for answer in re.split(r"^## ", EXAM, flags=re.MULTILINE)[1:]:
        assert sum(map(int, re.findall(r"^\*\*\(\w\) (\d+) points?\*?\*?", answer, re.MULTILINE))) == 10
    shares = re.findall(r"^\| (\d+) \| ", part("## An open project"), re.MULTILINE)
    assert sum(map(int, shares)) == 20


def test_the_model_answers_of_the_exam_are_right():
    x = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    layer = SeparableSelfAttention(2)
    weights = {
        "W_I": [[math.log(2)], [0]],
        "W_K": [[1.0, 0], [0, 2]],
        "W_V": [[1.0, -1], [0, 1]],
        "W_O": [[1.0, 0], [0, 1]],
    }
    for name, weight in weights.items():
        part = getattr(layer, name)
        part.load_state_dict({"weight": torch.tensor(weight).T, "bias": torch.zeros(part.out_features)})
    with torch.no_grad():
        torch.testing.assert_close(layer.context_scores(x).flatten(), torch.tensor([0.4, 0.2, 0.4]))
        torch.testing.assert_close(layer.context_vector(x)[0], torch.tensor([0.8, 1.2]))
        torch.testing.assert_close(layer(x), torch.tensor([[0.8, 0], [0, 1.2], [0.8, 0]]))
        assert layer.W_K(x).sum(dim=0).tolist() == [2, 4]  # the softmax over the last axis
    for shown in ("(0.4, 0.2, 0.4)", "(0.8, 1.2)", "$(0.8, 0)$, $(0, 1.2)$", "$(2, 4)$"):
        assert shown in EXAM
    counted = (cost.multi_head_macs(1024, 64), cost.separable_macs(1024, 64, "executed"))
    narrow, wide = (cost.multi_head_macs(k, 512) for k in (128, 1024))
    for number in counted:
        assert f"{number:,}".replace(",", "{,}") in EXAM
    assert f"{wide / narrow:.1f}" in EXAM
    assert f"{math.log(wide / narrow, 8):.2f}" in EXAM
