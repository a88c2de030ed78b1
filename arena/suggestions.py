"""Prompts to begin with, by theme: what people in Korea ask, and what tells models apart."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Theme:
    """A theme and its prompts; prompts are Korean in either language of the page."""

    title: str | Promise
    prompts: tuple[str, ...]


THEMES = (
    Theme(
        _("Everyday life"),
        (
            "비 오는 주말에 집에서 아이와 할 수 있는 놀이를 세 가지 알려 주세요.",
            "층간 소음 때문에 윗집에 남길 쪽지를 정중하게 써 주세요.",
            "냉장고에 두부, 김치, 달걀만 있어요. 20분 안에 만들 수 있는 저녁을 추천해 주세요.",
            "전세 계약을 앞두고 꼭 확인해야 할 서류를 순서대로 알려 주세요.",
        ),
    ),
    Theme(
        _("Writing"),
        (
            "가을 산책을 소재로 네 줄짜리 시를 써 주세요. 마지막 줄은 물음으로 끝내 주세요.",
            "면접에서 떨어진 친구에게 보낼 짧은 위로 메시지를 반말로 써 주세요.",
            "신제품 지연을 알리는 사내 공지를 다섯 문장 이내의 격식체로 써 주세요.",
            "‘겨루다’라는 낱말이 들어가는 짧은 동화를 써 주세요.",
        ),
    ),
    Theme(
        _("Korean language"),
        (
            "‘되’와 ‘돼’를 언제 쓰는지 예문을 들어 설명해 주세요.",
            "“선생님이 밥을 먹었다”를 가장 높은 높임말로 바꾸고 바뀐 곳을 설명해 주세요.",
            "경상도 사투리로 ‘오늘 날씨가 참 좋네요’를 말하고 표준어와 비교해 주세요.",
            "속담 ‘가는 말이 고와야 오는 말이 곱다’와 뜻이 비슷한 속담 두 개를 설명해 주세요.",
        ),
    ),
    Theme(
        _("Knowledge of Korea"),
        (
            "훈민정음이 만들어진 까닭을 초등학생에게 설명하듯 알려 주세요.",
            "추석 차례상 차리는 법을 지역에 따른 차이와 함께 알려 주세요.",
            "국민연금과 퇴직연금은 무엇이 다른가요?",
            "1987년 6월에 한국에서 무슨 일이 있었고 무엇이 바뀌었나요?",
        ),
    ),
    Theme(
        _("Reasoning and mathematics"),
        (
            "사과 3개와 배 2개는 7,000원, 사과 1개와 배 4개는 9,000원입니다. 사과 1개는 얼마인가요?",
            "다섯 사람이 한 줄로 설 때 철수와 영희가 이웃하지 않는 경우는 몇 가지인가요?",
            "시침과 분침이 3시와 4시 사이에 겹치는 시각을 구하는 과정을 보여 주세요.",
            "어제가 그저께의 내일이라면 오늘은 무슨 요일의 다음 날인가요? 오늘은 금요일입니다.",
        ),
    ),
    Theme(
        _("Code"),
        (
            "한글 문자열에서 초성만 뽑아내는 파이썬 함수를 써 주세요.",
            "주민등록번호를 가리는 정규 표현식을 쓰고 한계를 설명해 주세요.",
            "SQL로 부서별 최고 급여자를 찾되 동점자를 모두 보여 주세요.",
            "자바스크립트에서 비동기 작업 세 개를 동시에 실행하고 하나가 실패해도 나머지 결과를 받는 법은?",
        ),
    ),
)
