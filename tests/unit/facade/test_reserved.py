"""Names that topics of Kafka have already."""

import pytest

from apps.feeds.defined import FeedDefinition, FeedError, check_definition
from apps.signals.interface import SetError, define_set
from trading.instruments import Instrument


def test_no_set_and_no_feed_is_called_like_a_topic_of_all():
    with pytest.raises(SetError, match="set compared: that is the name of a topic of all sets in Kafka"):
        define_set("compared", [])
    feed = FeedDefinition(feed="compared", source="tail", instruments=[Instrument(id="COMPARED:A", tick_size=0.01)])
    with pytest.raises(FeedError, match="no venue can be called compared"):
        check_definition(feed)
