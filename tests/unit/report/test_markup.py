from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from apps.backtest.report.markup import Markup, element, join


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text, self.attributes = [], "", {}

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data):
        self.text += data


@given(text=st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_any_text_stays_text_in_content_and_in_attributes(text):
    reader = _Reader()
    reader.feed(element("p", text, title=text))
    reader.close()
    assert reader.tags == ["p"]
    assert reader.text == text
    assert reader.attributes["title"] == text


def test_markup_is_kept_and_everything_else_is_escaped():
    inner = element("b", "a & b")
    assert element("p", inner, "<i>") == "<p><b>a &amp; b</b>&lt;i&gt;</p>"
    assert join(None, "", 3, Markup("<br>")) == "3<br>"


def test_attributes_can_be_bare_left_out_and_named_with_dashes():
    made = element("input", type="text", hidden=True, checked=False, aria_label="x", class_=None)
    assert made == '<input type="text" hidden aria-label="x">'
