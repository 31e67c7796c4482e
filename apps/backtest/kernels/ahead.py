"""Fetching from memory ahead of need.

A loop that goes from fill to fill reads a few numbers here and a few there: each is far from the last, and waiting for
it costs more than booking the fill. Asking for them a few fills early costs next to nothing.
"""

from typing import Any

from apps.backtest.kernels.market import Market
from trading.compiled import before_compiling, inner_kernel

_AHEAD = 4


def fetch(column: Any, t: int) -> None:
    """Have the processor fetch element t of float64[T] or int64[T]: a hint that changes nothing."""


@inner_kernel
def fetch_ahead(market: Market, rows: Any, k: int) -> None:
    """Have fetched what an order of the one channel reads that is decided a few elements of `rows` after element k.

    That is the close that it is decided at and the open after it.
    """
    if k + _AHEAD >= rows.size:
        return
    t = rows[k + _AHEAD]
    fetch(market.close[0], t)
    if t + 1 < market.close.shape[1]:
        fetch(market.time, t + 1)
        if market.ask_open.size > 0:
            fetch(market.ask_open[0], t + 1)
            fetch(market.bid_open[0], t + 1)
        else:
            fetch(market.open[0], t + 1)


@before_compiling
def _teach_numba() -> None:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic, overload

    @intrinsic
    def prefetch(typing_context, column, t):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            address = builder.gep(array.data, [arguments[1]])
            pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            function = builder.module.declare_intrinsic(
                "llvm.prefetch", (pointer,), ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
            )
            to_read, to_be_kept, data = (ir.Constant(number, value) for value in (0, 3, 1))
            builder.call(function, [builder.bitcast(address, pointer), to_read, to_be_kept, data])
            return context.get_dummy_value()

        return types.none(column, types.intp), generate

    @overload(fetch)
    def compile_fetch(column, t):  # type: ignore[no-untyped-def]
        return lambda column, t: prefetch(column, t)  # noqa: PLW0108  (Numba wants these names)
