"""Finds the function that `module.function` or `dir/module.function` means."""

import importlib
import sys

from .errors import HandlerError


def load_handler(name):
    parts = name.rsplit(".", 1)
    if len(parts) != 2:
        raise HandlerError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    path, function = parts
    if path.split(".")[0] in sys.builtin_module_names:
        raise HandlerError(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {path} as a handler module",
        )
    module = _import(path)
    try:
        return getattr(module, function)
    except AttributeError:
        raise HandlerError(
            "Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{path}'"
        ) from None


def _import(path):
    try:
        return importlib.import_module(path.replace("/", "."))
    except ImportError as error:
        raise HandlerError(
            "Runtime.ImportModuleError", f"Unable to import module '{path}': {error}"
        ) from error
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise HandlerError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{path}': {error}", [where]
        ) from error
