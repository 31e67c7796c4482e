import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banyan.store import Prepared, Store, array_of

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
def prepared(transactional_db):
    store = Store("execution")
    yield Prepared(store.connection)
    store.close()


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
@given(data=st.data())
def test_what_is_written_as_an_array_is_what_the_database_reads(prepared, kind, data):
    values = data.draw(st.lists(st.none() | VALUES[kind]))
    written = array_of(kind, values)
    statement = f"SELECT $1::{kind}[] IS NOT DISTINCT FROM $2::text::{kind}[], $1::{kind}[]"
    as_text = prepared.connection.execute(f"SELECT %s::{kind}[]::text", [values]).fetchone()[0]
    ((is_same, read),) = prepared.rows(statement, [written, as_text.encode()])
    assert is_same == b"\1", (values, as_text)
    assert read == written


def test_a_number_that_its_column_cannot_hold_is_refused():
    with pytest.raises(Exception, match="format"):
        array_of("smallint", [2**15])


def test_a_prepared_statement_fails_as_one_of_psycopg_does(prepared):
    with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
        prepared.rows("SELECT 1 / $1::int", [bytes(4)])
    with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
        prepared.rows("SELECT * FROM nowhere", [])
    assert prepared.rows("SELECT 1 / $1::int", [b"\0\0\0\1"]) == [(b"\0\0\0\1",)], "the connection is as it was"


def test_a_prepared_statement_whose_connection_has_gone_raises_what_a_host_waits_out(prepared):
    assert prepared.rows("SELECT NULL::text", []) == [(None,)]
    with pytest.raises(psycopg.OperationalError):
        prepared.rows("SELECT pg_terminate_backend(pg_backend_pid())", [])
    assert prepared.connection.closed
