import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banyan.store import Store, array_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution"])
VALUES = {
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    "bytea": st.binary(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "bool": st.booleans(),
}


@pytest.fixture
def connection(transactional_db):
    store = Store("execution")
    yield store.connection
    store.close()


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(data=st.data())
def test_what_is_written_as_an_array_is_what_the_database_reads(connection, kind, data):
    values = data.draw(st.lists(st.none() | VALUES[kind]))
    told = connection.execute(f"SELECT %b::{kind}[], pg_typeof(%b)::text", [array_of(kind, values)] * 2, prepare=True)
    assert told.fetchone() == (values, f"{kind}[]" if kind != "bool" else "boolean[]")


def test_a_number_that_its_column_cannot_hold_is_refused(connection):
    with pytest.raises(Exception, match="format"):
        array_of("smallint", [2**15])
