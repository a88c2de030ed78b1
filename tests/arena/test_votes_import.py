"""Importing votes: all of a file or nothing, once however often, and the counts follow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from arena import tallies
from arena.models import PairTally, Vote, Voter, VoteSource
from runners.models import ModelRevision
from tests import factories
from tests.arena.votes import make_vote

pytestmark = pytest.mark.django_db
GOOD = """id,model_a,model_b,winner,prompt,voter,turn,category,language
1,x,y,a,q1,expert_1,1,math,ko
1,x,y,tie,q1,expert_2,2,math,ko
"""


def run(folder: Path, text: str, **options: object) -> None:
    path = folder / "votes.csv"
    path.write_text(text)
    call_command("import_votes", str(path), source="s", **options)


def test_votes_models_and_counts_are_stored(tmp_path: Path) -> None:
    run(tmp_path, GOOD)
    source = VoteSource.objects.get(slug="s")
    assert sorted(Vote.objects.values_list("winner", "item", "turn", "category", "language")) == [
        ("a", "s/q1", 1, "math", "ko"),
        ("tie", "s/q1", 2, "math", "ko"),
    ]
    revision = ModelRevision.objects.get(slug="import/x")
    assert (revision.backend, revision.frozen_at is not None) == ("api", True)
    overall = PairTally.objects.get(category="overall")
    assert (overall.left_wins, overall.ties) == (1, 1)
    categories = set(PairTally.objects.values_list("category", flat=True))
    assert categories == {"overall", "math", "language:ko", "multi-turn"}
    assert tallies.difference(source) == {}


def test_a_voter_is_known_by_group_and_never_by_name(tmp_path: Path) -> None:
    run(tmp_path, GOOD)
    assert set(Voter.objects.values_list("kind", flat=True)) == {"expert"}
    assert not any("expert" in key for key in Voter.objects.values_list("key", flat=True))
    assert not any("expert" in one for one in Vote.objects.values_list("external_id", flat=True))


def test_a_second_import_of_the_same_file_stores_nothing(tmp_path: Path) -> None:
    for text in (GOOD, "model_a,model_b,winner\nx,y,a\nx,y,a\n"):
        run(tmp_path, text)
        before = (Vote.objects.count(), list(PairTally.objects.values()))
        run(tmp_path, text)
        assert (Vote.objects.count(), list(PairTally.objects.values())) == before
    assert Vote.objects.count() == 4


def test_a_bad_row_refuses_the_file_and_nothing_is_stored(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="line 4: unknown winner “who”"):
        run(tmp_path, GOOD + "2,x,z,who,q,,,,\n")
    assert not Vote.objects.exists()
    assert not VoteSource.objects.exists()
    assert not ModelRevision.objects.exists()


def test_a_bad_row_is_left_out_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, GOOD + "2,x,z,who,q,,,,\n3,y,y,a,q,,,,\n", skip_bad=True)
    said = capsys.readouterr()
    assert Vote.objects.count() == 2
    assert "line 4 skipped" in said.err
    assert "2 skipped" in said.out


def test_a_judges_verdicts_go_to_a_source_of_their_own_on_the_same_items(tmp_path: Path) -> None:
    run(tmp_path, GOOD)
    run(tmp_path, "model_a,model_b,winner,prompt\ny,x,b,q1\n", judge="gpt")
    judged = VoteSource.objects.get(slug="judge:gpt")
    assert judged.judge == "gpt"
    assert Vote.objects.get(source=judged).item == "s/q1"


def test_columns_can_be_called_anything(tmp_path: Path) -> None:
    run(tmp_path, "first,second,who\nx,y,left\n", map=["model_a=first", "model_b=second", "winner=who"])
    assert Vote.objects.get().winner == "a"


def test_a_name_that_is_known_here_means_that_model(tmp_path: Path) -> None:
    known = factories.make_revision("maker/known")
    run(tmp_path, "model_a,model_b,winner\nmaker/known,y,a\n")
    assert Vote.objects.get().left == known


def test_the_sites_own_battles_take_no_import(tmp_path: Path) -> None:
    from arena.models import Battle
    from runners.models import Conversation

    vote = make_vote(VoteSource.objects.create(slug="s", name="s"), "x", "y")
    left, right = (Conversation.objects.create(revision=one) for one in (vote.left, vote.right))
    battle = Battle.objects.create(
        kind="live", left=left, right=right, left_revision=vote.left, right_revision=vote.right,
        voter=Voter.objects.create(key="v"),
    )  # fmt: skip
    Vote.objects.filter(pk=vote.pk).update(battle=battle)
    with pytest.raises(CommandError, match="this site's own battles"):
        run(tmp_path, GOOD)


def test_style_is_counted_where_the_file_has_both_answers_and_no_text_is_kept(tmp_path: Path) -> None:
    run(
        tmp_path,
        'model_a,model_b,winner,response_a,response_b\nx,y,a,**굵게** 답합니다,"[""첫째"", ""- 둘째""]"\nx,y,b,답,\n',
    )
    first, second = Vote.objects.order_by("pk")
    assert first.style == {
        "left": {"tokens": 11, "headers": 0, "lists": 0, "bold": 1},
        "right": {"tokens": 6, "headers": 0, "lists": 1, "bold": 0},
    }
    assert second.style is None


def test_answers_of_another_file_are_found_by_question_and_model_up_to_the_turn(tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    lines = [
        {"question_id": "q1", "model": model, "turns": [text, "## 둘"]} for model, text in (("x", "하나"), ("y", ""))
    ]
    answers.write_text("\n".join(json.dumps(line) for line in lines))
    run(tmp_path, GOOD, answers=answers)
    first, second = Vote.objects.order_by("turn")
    assert (first.style["left"]["tokens"], first.style["left"]["headers"]) == (2, 0)
    assert (second.style["left"]["tokens"], second.style["left"]["headers"]) == (6, 1)


@pytest.mark.parametrize(
    "text", ['{"question_id": 1, "model": "x"}', "[1]", "no JSON", '{"model": "x", "turns": ["a"]}']
)
def test_a_faulty_file_of_answers_is_refused_by_its_line(tmp_path: Path, text: str) -> None:
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"question_id": 1, "model": "x", "turns": ["a"]}\n' + text + "\n")
    with pytest.raises(CommandError, match="Line 2 of the answers"):
        run(tmp_path, GOOD, answers=answers)
    assert not Vote.objects.exists()
