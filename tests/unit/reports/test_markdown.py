from __future__ import annotations

import pytest

from app.reports.markdown import cell, code, sentence


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("red_spot", "red_spot"),
        ("a|b", r"a\|b"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("`x` *y* [z] $w$ ~v~", r"\`x\` \*y\* \[z\] \$w\$ \~v\~"),
        ("a\nb", r"a\\nb"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_no_sign_of_a_name_starts_anything(text: str, written: str) -> None:
    assert cell(text) == written


@pytest.mark.parametrize(
    ("name", "written"),
    [("a|b.png", "`a|b.png`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a\nb", r"`a\nb`")],
)
def test_a_name_between_backticks(name: str, written: str) -> None:
    assert code(name) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("try `goodsguard threshold --data a_b*`", "try `goodsguard threshold --data a_b*`"),
        ("a*b, `x` and `y|z`: [q]", r"a\*b, `x` and `y|z`: \[q\]"),
        ("one ` alone <b>", r"one \` alone &lt;b&gt;"),
    ],
)
def test_what_a_sentence_has_between_backticks_is_left_as_it_is(text: str, written: str) -> None:
    assert sentence(text) == written
