"""A context's database as its host uses it: one statement commits a batch, a few queries bring a key back."""

from banyan.store.arrays import array_of, double_of
from banyan.store.batch import Batch, DeadLetter, Output, Step
from banyan.store.connection import SOON, again, connect, lent
from banyan.store.notices import Notice
from banyan.store.prepared import Prepared, prepared_on
from banyan.store.seeding import NotFollowingError, Seed
from banyan.store.store import FETCH_MOST, KeyRow, Outgoing, SnapshotRow, Store

__all__ = [
    "FETCH_MOST",
    "SOON",
    "Batch",
    "DeadLetter",
    "KeyRow",
    "NotFollowingError",
    "Notice",
    "Outgoing",
    "Output",
    "Prepared",
    "Seed",
    "SnapshotRow",
    "Step",
    "Store",
    "again",
    "array_of",
    "connect",
    "double_of",
    "lent",
    "prepared_on",
]
