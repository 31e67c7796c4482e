"""From kernels to machine code, by Numba: imported only where something has to be compiled.

A kernel becomes LLVM's intermediate code once for each signature, neither optimised nor made into machine code by
itself, since what it is for is to be put into others. Only an entry, which is called from Python, is made of all that
it reaches, optimised and turned into machine code, once. `trading.native` says how an entry is called.
"""

import gc
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import _dynfunc, njit, types
from numba.core import codegen, compiler, serialize, typed_passes
from numba.core.caching import NullCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.registry import CPUDispatcher
from numba.np import arrayobj

from trading.native import NUMBAS, OBJECT_HEAD, SLOT, Code, is_linkable, read_whole, text_of_class, write_whole

_SLOT = ir.IntType(8 * SLOT)
_BYTES = ir.IntType(8).as_pointer()
_STATUS = ir.IntType(32)

# What of Numba's runtime entries use: memory for an array inside them. No array leaves an entry, so nobody else's
# memory is ever released here, nor any of this elsewhere. The head is that of Numba's MemInfo: references, destructor,
# its argument, data, size.
_MEMORY = """
declare ptr @malloc(i64)
declare void @free(ptr)
define linkonce_odr ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %wide = zext i32 %align to i64
  %head = add i64 %wide, 48
  %whole = add i64 %size, %head
  %memory = call ptr @malloc(i64 %whole)
  %missing = icmp eq ptr %memory, null
  br i1 %missing, label %none, label %found
none:
  ret ptr null
found:
  %start = ptrtoint ptr %memory to i64
  %far = add i64 %start, %head
  %mask = sub i64 0, %wide
  %place = and i64 %far, %mask
  %data = inttoptr i64 %place to ptr
  store { i64, ptr, ptr, ptr, i64 } zeroinitializer, ptr %memory
  store i64 1, ptr %memory
  %at_data = getelementptr { i64, ptr, ptr, ptr, i64 }, ptr %memory, i32 0, i32 3
  store ptr %data, ptr %at_data
  %at_size = getelementptr { i64, ptr, ptr, ptr, i64 }, ptr %memory, i32 0, i32 4
  store i64 %size, ptr %at_size
  ret ptr %memory
}
define linkonce_odr void @NRT_MemInfo_call_dtor(ptr %memory) {
  call void @free(ptr %memory)
  ret void
}
"""


def by_numba(function: Callable[..., Any], *, folder: Path | None, **options: bool) -> Any:
    """Return `function` compiled and called by Numba itself, for what entries cannot do; kept in `folder`, if any."""
    if folder is not None:
        numba.config.CACHE_DIR = str(folder)
    return njit(cache=folder is not None, **_flags(**options))(function)


def for_others(function: Callable[..., Any], file: Callable[[str, str], Path | None], **options: bool) -> Any:
    """Return `function` as other kernels call it; its code is kept in `file(title, suffix)`."""
    made = _Inner(function, _flags(**options))
    made._cache = _Kept(file)
    return made


def _flags(*, counts_references: bool, is_inlined: bool = False) -> dict[str, Any]:
    # Nobody calls a kernel by its address in C; the way in for that would be a fifth of what compiling costs.
    flags = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": counts_references}
    return {**flags, "forceinline": True} if is_inlined else flags


class _Inner(CPUDispatcher):
    """A kernel inside others: compiled for the types of its arguments, not once more for each constant."""

    def __init__(self, function: Callable[..., Any], flags: dict[str, Any]) -> None:
        options = {"nopython": True, "no_cpython_wrapper": True, **flags}
        super().__init__(function, targetoptions=options, pipeline_class=_ToBeLinked)

    def get_call_template(self, args: Any, kws: Any) -> Any:
        named = {name: types.unliteral(kind) for name, kind in kws.items()}
        return super().get_call_template(tuple(map(types.unliteral, args)), named)


class _Linkable(codegen.JITCodeLibrary):
    """The intermediate code of a kernel and of all that it calls."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        _link(self)
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == llvm.Linkage.external:
                # Several libraries may bring it, and it goes where nobody calls it.
                function.linkage = llvm.Linkage.linkonce_odr
        self._finalize_dynamic_globals()
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        self._ensure_finalized()
        return self._final_module


def _link(library: Any) -> None:
    for other in dict.fromkeys(library._linking_libraries):
        library._final_module.link_in(other._get_module_for_linking(), preserve=True)


@register_pass(mutates_CFG=False, analysis_only=True)
class _Register(LoweringPass):
    """Makes known to Numba a function that has no machine code of its own."""

    _name = "trading_register"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        made = state["cr"]
        function = _handle(made.fndesc, made.env, state.library)
        state.targetctx.insert_user_function(function, made.fndesc, [state.library])
        state["cr"] = made._replace(cfunc=function)
        return True


def _handle(description: Any, environment: Any, library: Any) -> Any:
    """Return what Numba finds a compiled function by; calling it from Python is not foreseen."""
    name = description.qualname.rpartition(".")[2]
    return _dynfunc.make_function(description.lookup_module(), name, "", 0, environment, (library,))


class _ToBeLinked(compiler.CompilerBase):
    def define_pipelines(self) -> list[Any]:
        state = self.state
        state.library = _Linkable(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(state)
        passes.add_pass_after(_Register, typed_passes.NativeLowering)
        passes.finalize()
        return [passes]


class _Kept(NullCache):
    """Keeps a kernel's intermediate code, each signature in a file of its own.

    Numba's own cache has an index that two processes can tear apart.
    """

    def __init__(self, file: Callable[[str, str], Path | None]) -> None:
        self._file = file

    def load_overload(self, signature: Any, context: Any) -> Any:
        context.refresh()
        path = self._file(_title(signature), "code")
        content = None if path is None else read_whole(path)
        if content is None:
            return None
        name, known, description, environment, bitcode = pickle.loads(content)  # noqa: S301  (checked, and ours)
        if known.args != tuple(signature):
            return None
        library = _Linkable(context.codegen(), name)
        library._final_module = llvm.parse_bitcode(bitcode)
        library._finalized = True
        return compiler.compile_result(
            typing_context=context.typing_context,
            target_context=context,
            entry_point=_handle(description, environment, library),
            library=library,
            signature=known,
            fndesc=description,
            environment=environment,
            objectmode=False,
            lifted=(),
            reload_init=[],
            referenced_envs=[],
        )

    def save_overload(self, signature: Any, result: Any) -> None:
        library, path = result.library, self._file(_title(signature), "code")
        if path is None or library.has_dynamic_globals or result.reload_init:
            return
        result.fndesc.typemap = result.fndesc.calltypes = None
        facts = (library.name, result.signature, result.fndesc, result.environment, library._final_module.as_bitcode())
        write_whole(path, serialize.dumps(facts))


def _title(signature: Any) -> str:
    """Return a signature as text that says too which classes its tuples are of, and what fields they have."""
    return " ".join((str(signature), *map(text_of_class, _classes(signature))))


def _classes(kinds: Any) -> Iterator[type]:
    for kind in kinds:
        if isinstance(kind, types.BaseTuple):
            if isinstance(kind, types.BaseNamedTuple):
                yield kind.instance_class
            yield from _classes(kind)


_RETURNED = {types.float64: "d", types.int64: "q", types.uint64: "Q", types.boolean: "?"}


@contextmanager
def _uncollected() -> Iterator[None]:
    """Have no garbage collected: a kernel's million objects are soon gone, and looking through them takes a tenth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@global_compiler_lock
@_uncollected()
def entry_of(made: Any, arguments: tuple[Any, ...]) -> tuple[Code, bool]:
    """Return the entry of what `for_others` has made, for such arguments, and whether other processes can use it."""
    kinds = tuple(numba.typeof(argument) for argument in arguments)
    made.compile(kinds)
    result = made.overloads[kinds]
    try:
        returns = _returns(result.signature.return_type)
    except _NotReturnedError:
        return NUMBAS, True
    symbol = f"banyan_{made.py_func.__name__}"
    library = _Entry(result.target_context.codegen(), symbol)
    library.add_ir_module(_entry_module(result, symbol))
    library.add_linking_library(result.library)
    library.finalize()
    code = Code(symbol, returns, library.machine())
    return code if is_linkable(code) else NUMBAS, not library.has_dynamic_globals


class _NotReturnedError(TypeError):
    """Entries cannot return that."""


def _returns(kind: Any) -> Any:
    """Return what is returned as `trading.native.Code` says it."""
    if kind == types.none:
        return None
    if kind in _RETURNED:
        return _RETURNED[kind]
    if isinstance(kind, types.BaseTuple):
        of = getattr(kind, "instance_class", None)
        return [f"{of.__module__}:{of.__qualname__}" if of else "", *map(_returns, kind)]
    raise _NotReturnedError(str(kind))


class _Entry(codegen.JITCodeLibrary):
    def finalize(self) -> None:
        self._raise_if_finalized()
        _link(self)
        self._final_module.link_in(llvm.parse_assembly(_MEMORY))
        for function in self._final_module.functions:
            if not function.is_declaration and function.name != self.name:
                # Called from here alone: what is the same in all calls becomes a constant, such as that nobody counts
                # the references of the arrays that an entry is given.
                function.linkage = llvm.Linkage.internal
        self._optimize_final_module()
        self._final_module.verify()
        self._finalize_dynamic_globals()
        self._finalized = True

    def machine(self) -> bytes:
        """Return the object file."""
        return bytes(self._codegen._tm.emit_object(self._final_module))


def _entry_module(result: Any, symbol: str) -> ir.Module:
    """Return the function `int32 symbol(slots*, returned*)` that calls what `result` was compiled from."""
    context, description = result.target_context, result.fndesc
    module = context.create_module(symbol)
    kind = context.call_conv.get_function_type(description.restype, description.argtypes)
    kernel = ir.Function(module, kind, description.llvm_func_name)
    entry = ir.Function(module, ir.FunctionType(_STATUS, [_SLOT.as_pointer(), _SLOT.as_pointer()]), symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    slots, returned = entry.args
    slot = _Slots(builder, slots)
    arguments = [_value(context, builder, each, slot) for each in description.argtypes]
    status, value = context.call_conv.call_function(
        builder, kernel, description.restype, description.argtypes, arguments
    )
    with builder.if_else(status.is_error, likely=False) as (has_raised, has_returned):
        with has_raised:
            builder.store(builder.ptrtoint(status.excinfoptr, _SLOT), returned)
        with has_returned:
            for number, each in enumerate(_numbers(builder, value, description.restype)):
                builder.store(each, builder.gep(returned, [_STATUS(number)]))
    builder.ret(builder.select(status.is_error, status.code, _STATUS(0)))
    return module


class _Slots:
    """Reads the slots one after the other."""

    def __init__(self, builder: Any, slots: Any) -> None:
        self._builder, self._slots, self._number = builder, slots, 0

    def __call__(self) -> Any:
        place = self._builder.gep(self._slots, [_STATUS(self._number)])
        self._number += 1
        return self._builder.load(place)


def _value(context: Any, builder: Any, kind: Any, slot: _Slots) -> Any:
    if isinstance(kind, types.BaseTuple):
        return context.make_tuple(builder, kind, [_value(context, builder, each, slot) for each in kind])
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, slot())
    if kind == types.float64:
        return builder.bitcast(slot(), ir.DoubleType())
    if kind == types.boolean:
        return builder.trunc(slot(), ir.IntType(1))
    assert kind in (types.int64, types.uint64), kind
    return slot()


def _array(context: Any, builder: Any, kind: Any, address: Any) -> Any:
    """Return the NumPy array at `address` as compiled code takes it, nobody's references counted."""
    head = builder.inttoptr(address, _BYTES)

    def member(number: int, of: Any) -> Any:
        return builder.load(builder.bitcast(builder.gep(head, [_SLOT(OBJECT_HEAD + SLOT * number)]), of.as_pointer()))

    def each(pointer: Any) -> list[Any]:
        return [builder.load(builder.gep(pointer, [_STATUS(axis)])) for axis in range(kind.ndim)]

    array = arrayobj.make_array(kind)(context, builder)
    arrayobj.populate_array(
        array,
        data=builder.bitcast(member(0, _BYTES), array.data.type),
        shape=each(member(2, _SLOT.as_pointer())),
        strides=each(member(3, _SLOT.as_pointer())),
        itemsize=context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype))),
        meminfo=None,
        parent=None,
    )
    return array._getvalue()


def _numbers(builder: Any, value: Any, kind: Any) -> Iterator[Any]:
    """Yield the numbers in a returned value, as slots hold them."""
    if isinstance(kind, types.BaseTuple):
        for place, part in enumerate(kind):
            yield from _numbers(builder, builder.extract_value(value, place), part)
    elif kind == types.float64:
        yield builder.bitcast(value, _SLOT)
    elif kind == types.boolean:
        yield builder.zext(value, _SLOT)
    elif kind != types.none:
        yield value
