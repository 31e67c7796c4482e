"""The state of a strategy set."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.feeds.contracts import BarClosed
from apps.signals.contracts import ChannelSpec, MemberSpec, Quoted, SetDefined, TargetSet
from apps.signals.errors import StrategyError
from apps.signals.members import Member, is_plain
from apps.signals.memory import laid_out
from apps.signals.minds import weight_target
from apps.signals.parameters import StrategyParameterError
from apps.signals.registry import UnknownStrategyError
from apps.signals.slices import PAST_BARS, Closed, Slices
from banyan.columns import ints
from trading.targets import WEIGHT, Target

SNAPSHOT_VERSION = 3
UNREADY = (StrategyError, StrategyParameterError, UnknownStrategyError)
"""Why strategies cannot be run: their code is missing, another one, or does not compile."""


@dataclass(slots=True)
class SetState:
    """A set: version 0 until it is defined. `versions` counts the targets given by instrument.

    `is_cold` while it waits for its first bars, to be warmed up with those before them. `untold` are instruments on
    which it has an opinion that followed from its warm-up, or from a time in which it was not running. `unready` says
    why its strategies cannot be run by the code that is here; it can only be defined anew then. `rates` are the last
    closes of `conversions`, by instrument.
    """

    set: str
    version: int = 0
    is_running: bool = False
    grace_ns: int = 0
    members: list[Member] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    unready: str = ""
    is_cold: bool = False
    untold: frozenset[str] = frozenset()
    conversions: list[ChannelSpec] = field(default_factory=list)
    rates: dict[str, Quoted] = field(default_factory=dict)
    tried: "SetState | None" = None
    """What this state becomes by the bars that were decided on last, kept so that they need not be seen twice."""
    tried_digest: str = ""
    spare: "SetState | None" = None
    """A state of the same strategies that nobody needs any more: the next copy takes its place in memory."""
    _panels: list["_Panel"] = field(default_factory=list)
    _memory: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    _index: "_Index" = field(default_factory=lambda: _Index({}, {}, {}))

    def copy(self) -> "SetState":
        """Return a state of its own, to be tried out on."""
        made, self.spare = self.spare, None
        if made is None:
            made = SetState(self.set, members=self.members, _panels=self._panels, _index=self._index)
            made._lay_out()
        else:
            made._memory[:] = self._memory
        made.version, made.is_running, made.grace_ns = self.version, self.is_running, self.grace_ns
        made.versions, made.unready = dict(self.versions), self.unready
        made.is_cold, made.untold = self.is_cold, self.untold
        made.conversions, made.rates = self.conversions, dict(self.rates)
        return made

    def adopt_tried(self) -> "SetState":
        """Return what was tried out on, which this state is done with."""
        after, self.tried = self.tried, None
        assert after is not None, "nothing was tried"
        after.spare = self
        return after

    def define(self, defined: SetDefined) -> None:
        """Become a new version, whose strategies have seen nothing."""
        self.version, self.grace_ns = defined.set_version, defined.grace_ns
        self.is_cold, self.untold = defined.warms_up, frozenset()
        self.conversions, self.rates = defined.conversions, {}
        self.pass_versions(self.given_up(defined.members))
        try:
            self.members, self.unready = members_of(defined.members), ""
        except UNREADY as problem:
            self.members, self.unready = [], str(problem)
        self.arrange()

    def arrange(self) -> None:
        """Put members that have the same channels before the same panel, and look up anew who trades what."""
        panels: dict[tuple[ChannelSpec, ...], _Panel] = {}
        for number, member in enumerate(self.members):
            panel = panels.setdefault(member.slices.channels, _Panel(member.slices, []))
            panel.members.append(number)
        self._panels, self.spare = list(panels.values()), None
        self._lay_out()
        ticks: dict[str, int] = {}
        places: dict[str, list[tuple[int, int]]] = {}
        for number, member in enumerate(self.members):
            for row, channel in enumerate(member.spec.channels):
                ticks[channel.instrument] = channel.tick_e9
                places.setdefault(channel.instrument, []).append((number, row))
        joint = {
            name: [number for number, _ in found if len(self.members[number].spec.channels) > 1]
            for name, found in places.items()
        }
        self._index = _Index(ticks, places, joint)

    def check_ready(self) -> None:
        """Raise StrategyError where the strategies cannot be run."""
        if self.unready:
            raise StrategyError(self.unready)

    def warm_up(self, history: list[BarClosed]) -> None:
        """Let strategies see bars from before their first; what they think of them is told with that."""
        seen = _Seen()
        for bars in history:
            seen.changed |= self._take(bars).changed
        for panel in self._panels:
            if panel.slices.closed_at_ns:
                self._see(panel, seen)
        self.untold = self.untold | seen.changed
        self.is_cold = False

    def take(self, bars: BarClosed) -> list[str]:
        """Let strategies take bars, and see what no further bar can complete; return what to tell a target of.

        A slice that still waits when bars of a later time arrive is shown first, as it is.
        """
        self.is_cold = False
        return self._to_tell(self._take(bars))

    def show(self, closed_at_ns: int) -> list[str]:
        """Show the slices that have waited for long enough: those of `closed_at_ns`, complete or not."""
        seen = _Seen()
        for panel in self._panels:
            if panel.slices.closed_at_ns == closed_at_ns:
                self._see(panel, seen)
        return self._to_tell(seen)

    def how_much_to_warm_up(self) -> dict[tuple[str, int], int]:
        """Return how many bars of each (instrument, interval in ns) its strategies want to see before their first."""
        wanted: dict[tuple[str, int], int] = {}
        for member in self.members:
            for channel in member.spec.channels:
                key = channel.instrument, channel.interval_ns
                past = PAST_BARS if channel.bars_per_year > 0.0 else 0
                wanted[key] = max(wanted.get(key, 0), member.history, past)
        for channel in self.conversions:
            wanted.setdefault((channel.instrument, channel.interval_ns), 1)
        return wanted

    def waits_since_ns(self) -> int:
        """Return the close time of the oldest slice that waits for bars, 0 where none does."""
        return min((each.slices.closed_at_ns for each in self._panels if each.slices.closed_at_ns), default=0)

    def digest(self) -> str:
        """Return 16 hex digits that stand for everything that strategies remember."""
        digest = hashlib.blake2b(self._memory.data, digest_size=8)
        for rate in self.rates.values():
            digest.update(f"{rate.instrument} {rate.bid_ticks} {rate.ask_ticks}".encode())
        return digest.hexdigest()

    def targets(self, instruments: list[str], decided_at_ns: int) -> TargetSet:
        """Return what the set wants of `instruments` now."""
        wanted = [self._target(each) for each in instruments]
        rows = [target for target, _ in wanted]

        def prices(name: str) -> list[float | None]:
            return [None if np.isnan(getattr(row, name)) else float(getattr(row, name)) for row in rows]

        def numbers(name: str) -> Any:
            return ints([int(getattr(row, name)) for row in rows])

        return TargetSet(
            set=self.set,
            set_version=self.version,
            decided_at_ns=decided_at_ns,
            quotes=[quoted for _, quoted in wanted],
            version=ints([self.versions[each] for each in instruments]),
            mode=numbers("mode"),
            value=[float(row.value) for row in rows],
            entry=numbers("entry"),
            price=prices("price"),
            limit_price=prices("limit_price"),
            stop_loss=prices("stop_loss"),
            take_profit=prices("take_profit"),
            trail=prices("trail"),
            time_in_force=numbers("time_in_force"),
            expires_ns=numbers("expires"),
            marks=self._marks(instruments),
            volatility=self._volatility(instruments),
        )

    def given_up(self, members: list[MemberSpec]) -> list[str]:
        """Return the instruments of which it wants something, and which others in its members' place do not trade.

        Where its strategies cannot be run nobody knows what it wants, so these are all that it has ever told of.
        """
        kept = {channel.instrument for member in members for channel in member.channels}
        if not self.is_running:
            return []
        if self.unready:
            return sorted(self.versions.keys() - kept)
        return [name for name in sorted(self._index.places) if name not in kept and self._is_wanted(name)]

    def left_behind(self) -> list[str]:
        """Return the instruments that it has told of, and that its strategies do not trade any more."""
        return [] if self.unready else sorted(self.versions.keys() - self._index.places.keys())

    def pass_versions(self, instruments: list[str]) -> None:
        """Count a target more of each of these instruments."""
        for instrument in instruments:
            self.versions[instrument] += 1

    def shown_at_ns(self, instruments: list[str]) -> int:
        """Return until when strategies have seen what they trade of `instruments`, 0 where they trade none."""
        places = [place for each in instruments for place in self._index.places.get(each, ())]
        return max((self.members[number].slices.shown_at_ns for number, _ in places), default=0)

    def nothing_of(self, instruments: list[str], decided_at_ns: int) -> TargetSet:
        """Return that the set wants nothing of `instruments` any more.

        Quoted are the last closes that it has seen of what it trades still, 0 of what it does not: who follows it knows
        newer prices.
        """
        count = len(instruments)
        none: list[float | None] = [None] * count
        zeros = ints([0] * count)
        return TargetSet(
            set=self.set, set_version=self.version, decided_at_ns=decided_at_ns,
            quotes=[self._quoted(each) for each in instruments],
            version=ints([self.versions[each] + 1 for each in instruments]),
            mode=ints([WEIGHT] * count), value=[0.0] * count, entry=zeros, price=none, limit_price=none,
            stop_loss=none, take_profit=none, trail=none, time_in_force=zeros, expires_ns=zeros,
            marks=self._marks(instruments),
        )  # fmt: skip

    def _quoted(self, instrument: str) -> Quoted:
        if instrument not in self._index.places:
            return Quoted(instrument=instrument, bid_ticks=0, ask_ticks=0)
        return self._target(instrument)[1]

    def _is_wanted(self, instrument: str) -> bool:
        target, quoted = self._target(instrument)
        return quoted.bid_ticks > 0 and not np.isnan(target.value) and target.value != 0.0

    def _take(self, bars: BarClosed) -> "_Seen":
        seen = _Seen()
        self._take_rates(bars)
        closed = Closed.of(bars, self._index.ticks_e9)
        with np.errstate(all="ignore"):
            for panel in self._panels:
                if 0 < panel.slices.closed_at_ns < bars.closed_at_ns:
                    self._see(panel, seen)
                if panel.slices.take(closed) and panel.slices.is_complete():
                    self._see(panel, seen)
        return seen

    def _take_rates(self, bars: BarClosed) -> None:
        for channel in self.conversions:
            if channel.interval_ns == bars.interval_ns and channel.instrument in bars.instruments:
                at = bars.instruments.index(channel.instrument)
                if not bars.revision[at]:
                    self.rates[channel.instrument] = Quoted(
                        instrument=channel.instrument,
                        bid_ticks=int(bars.bid_close[at]),
                        ask_ticks=int(bars.ask_close[at]),
                    )

    def _see(self, panel: "_Panel", seen: "_Seen") -> None:
        names = [each.instrument for each in panel.slices.channels]
        shown = panel.slices.show()
        for number in panel.members:
            for instrument in {names[channel] for channel in self.members[number].see(shown)}:
                self.versions[instrument] = self.versions.get(instrument, 0) + 1
                seen.changed.add(instrument)
        seen.shown.update(names)

    def _lay_out(self) -> None:
        """Move all that strategies remember into one piece of memory of its own."""
        arrays = [array for panel in self._panels for array in panel.slices.arrays()]
        arrays += [array for member in self.members for array in member.arrays()]
        self._memory, moved = laid_out(arrays)
        places = iter(moved)
        self._panels = [_Panel(panel.slices.moved(places), panel.members) for panel in self._panels]
        slices = {number: panel.slices for panel in self._panels for number in panel.members}
        self.members = [member.moved(places, slices[number]) for number, member in enumerate(self.members)]

    def _to_tell(self, seen: "_Seen") -> list[str]:
        """Return the instruments to tell a target of, now that these were seen.

        An opinion of an earlier time is told late only where it is plain: with a price or a bracket it was meant for
        its moment.
        """
        if not self.is_running:
            self.untold = self.untold | seen.changed
            return []
        late = self.untold & seen.shown - seen.changed
        self.untold = self.untold - seen.shown
        return sorted(seen.changed | {each for each in late if is_plain(self._target(each)[0])})

    def _marks(self, instruments: list[str]) -> list[Quoted]:
        """Return the rates, and closes of what strategies on several instruments have not decided on here."""
        deciding = {number for each in instruments for number in self._index.joint.get(each, ())}
        marks = {name: rate for name, rate in self.rates.items() if name not in instruments}
        for number in sorted(deciding):
            member = self.members[number]
            for row, channel in enumerate(member.spec.channels):
                bid, ask = int(member.slices.bid_ticks[row]), int(member.slices.ask_ticks[row])
                if channel.instrument not in instruments and bid > 0:
                    marks[channel.instrument] = Quoted(instrument=channel.instrument, bid_ticks=bid, ask_ticks=ask)
        return list(marks.values())

    def _volatility(self, instruments: list[str]) -> list[float | None]:
        """Return what is known of each instrument's volatility, nothing where nothing is."""
        found = []
        for instrument in instruments:
            number, row = self._index.places[instrument][0]
            found.append(self.members[number].slices.volatility(row))
        return found if any(each is not None for each in found) else []

    def _target(self, instrument: str) -> tuple[Target, Quoted]:
        """Return the one target of all members that trade an instrument: weights count by share and add up."""
        found = [(self.members[number], row) for number, row in self._index.places[instrument]]
        member, row = max(found, key=lambda each: each[0].slices.shown_at_ns)
        quoted = Quoted(
            instrument=instrument,
            bid_ticks=int(member.slices.bid_ticks[row]),
            ask_ticks=int(member.slices.ask_ticks[row]),
        )
        if len(found) == 1:
            target = Target(*member.opinions[:, row])
            if target.mode == WEIGHT:
                target = target._replace(value=target.value * (member.spec.share_e9 / 1e9))
            return target, quoted
        weights = [each.opinions[0, at] * (each.spec.share_e9 / 1e9) for each, at in found]
        total = sum(weight for weight in weights if not np.isnan(weight))
        return weight_target(total), quoted


@dataclass(slots=True)
class _Seen:
    """The instruments that strategies were shown, and those that they have changed their mind on."""

    changed: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Panel:
    """What is shown to all members (by number) that have the same channels."""

    slices: Slices
    members: list[int]


@dataclass(frozen=True, slots=True)
class _Index:
    """Of each instrument, its tick in billionths, (member, row) of who trades it, and those of them that trade more."""

    ticks_e9: dict[str, int]
    places: dict[str, list[tuple[int, int]]]
    joint: dict[str, list[int]]


def members_of(specs: list[MemberSpec]) -> list[Member]:
    """Return strategies that have seen nothing.

    Raises StrategyError for a set that cannot be run, UnknownStrategyError and StrategyParameterError.
    """
    if not specs:
        raise StrategyError("a set has at least one strategy")
    made = [Member.of(spec) for spec in specs]
    traders: dict[str, list[Member]] = {}
    for member in made:
        for instrument in {channel.instrument for channel in member.spec.channels}:
            traders.setdefault(instrument, []).append(member)
    for instrument, members in traders.items():
        beyond_weights = [each.strategy.name for each in members if not _gives_weights(each)]
        if len(members) > 1 and beyond_weights:
            raise StrategyError(
                f"{instrument} is traded by {', '.join(each.strategy.name for each in members)}: strategies that share "
                f"an instrument give plain weights, {', '.join(beyond_weights)} gives more; put it into its own set"
            )
    return made


def _gives_weights(member: Member) -> bool:
    if member.strategy.kind == "class":
        return False  # what it returns is known when it does
    function = getattr(member.strategy.on_bar, "py_func", member.strategy.on_bar)
    return function.__annotations__.get("return") in (float, "float")


def to_snapshot(state: SetState) -> bytes:
    """Return a set's state as bytes."""
    return msgspec.json.encode(
        {
            "version": state.version,
            "is_running": state.is_running,
            "grace_ns": state.grace_ns,
            "specs": [member.spec for member in state.members],
            "members": [member.to_snapshot() for member in state.members],
            "versions": state.versions,
            "unready": state.unready,
            "is_cold": state.is_cold,
            "untold": sorted(state.untold),
            "conversions": state.conversions,
            "rates": list(state.rates.values()),
        }
    )


def from_snapshot(key: str, version: int, written: bytes) -> SetState:
    """Return the state that `to_snapshot` wrote.

    Version 1 knew no warm-up, version 2 no conversions, and no past closes for volatility.
    """
    assert 1 <= version <= SNAPSHOT_VERSION, f"no step leads from snapshot version {version}"
    read = msgspec.json.decode(written)
    specs = msgspec.convert(read["specs"], list[MemberSpec])
    made = SetState(key, read["version"], read["is_running"], read["grace_ns"], [], read["versions"])
    made.unready, made.is_cold = read.get("unready", ""), read.get("is_cold", False)
    made.untold = frozenset(read.get("untold", ()))
    made.conversions = msgspec.convert(read.get("conversions", []), list[ChannelSpec])
    made.rates = {each.instrument: each for each in msgspec.convert(read.get("rates", []), list[Quoted])}
    try:
        made.members = [Member.from_snapshot(spec, each) for spec, each in zip(specs, read["members"], strict=True)]
    except UNREADY as problem:
        made.unready = str(problem)
    made.arrange()
    return made
