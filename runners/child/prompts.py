"""How an item is asked. Generation: one Korean instruction for every set. Likelihood: lm-eval's own wording."""

from __future__ import annotations

from typing import Any

Doc = dict[str, Any]
LETTERS = "ABCDE"


def listing(doc: Doc) -> str:
    """The options, one a line, with their letters."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, doc["options"], strict=False))


def ask_choice(doc: Doc) -> str:
    """Generation: choose one of the options listed; a single letter is wanted."""
    return (
        '다음 문제를 읽고 보기에서 알맞은 답을 하나 고르세요. 설명 없이 알파벳 하나로 "정답: A"와 같이 답하세요.\n\n'
        f"문제: {doc['stem']}\n{listing(doc)}\n정답:"
    )


def ask_stated_choice(doc: Doc) -> str:
    """Generation, where the question already lists its options as (A) to (E)."""
    return (
        '다음 문제를 읽고 알맞은 선택지를 하나 고르세요. 설명 없이 알파벳 하나로 "정답: A"와 같이 답하세요.\n\n'
        f"문제: {doc['stem']}\n정답:"
    )


def ask_item(doc: Doc) -> str:
    """Generation on our own items: choose an option, or give a short answer where the item lists none."""
    if doc["accepted"] is None:
        return ask_choice(doc)
    return (
        f'다음 문제를 읽고 알맞은 답을 쓰세요. 설명 없이 답만 "정답: 사과"와 같이 쓰세요.\n\n문제: {doc["stem"]}\n정답:'
    )


def ask_number(doc: Doc) -> str:
    """Generation: solve, then give the result in a box."""
    return (
        f"다음 수학 문제를 풀고, 마지막 줄에 최종 답만 $\\boxed{{답}}$ 형식으로 쓰세요.\n\n문제: {doc['stem']}\n풀이:"
    )


def listed_choice(doc: Doc) -> str:
    """Likelihood on our own items: the question and its lettered options, to be followed by a letter."""
    return f"문제: {doc['stem']}\n{listing(doc)}\n정답:"


def letters(doc: Doc) -> list[str]:
    return list(LETTERS[: len(doc["options"])])


def letter(doc: Doc) -> str:
    """The right option's letter."""
    return LETTERS[doc["gold"]]


def item_target(doc: Doc) -> str:
    return letter(doc) if doc["accepted"] is None else str(doc["accepted"][0])


def kobest_copa(doc: Doc) -> str:
    connector = {"원인": " 왜냐하면", "결과": " 그래서"}[doc["question"].strip()]
    return f"{doc['premise']} {connector}"


def click(doc: Doc) -> str:
    """lm-eval's wording, with every option: its own task lists four even where five are scored."""
    names = ", ".join(LETTERS[: len(doc["options"])])
    first, *others = [f"{letter}:{option}" for letter, option in zip(LETTERS, doc["options"], strict=False)]
    options = ", ".join([first, *(other.replace(":", ": ", 1) for other in others)])
    if doc["paragraph"]:
        head = f"주어진 맥락을 천천히 읽고, 질문에 대한 적절한 정답을 {names} 중에 골라 알파벳 하나로 답하시오."
        return f"{head}\n\n맥락: {doc['paragraph']}\n질문: {doc['question']}\n보기:\n{options}\n정답:"
    head = f"주어진 질문을 천천히 읽고, 적절한 정답을 {names} 중에 골라 알파벳 하나로 답하시오."
    return f"{head}\n\n질문: {doc['question']}\n보기:\n{options}\n정답:"
