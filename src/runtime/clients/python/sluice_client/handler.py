"""Finds the function that `module.function` or `dir/module.function` means."""

import importlib

from .errors import HandlerError


def load_handler(name):
    parts = name.rsplit(".", 1)
    if len(parts) != 2:
        raise HandlerError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    path, function = parts
    module = _import(path)
    handler = getattr(module, function, None)
    if handler is None:
        raise HandlerError(
            "Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{path}'"
        )
    return handler


def _import(path):
    try:
        return importlib.import_module(path.replace("/", "."))
    except ImportError as error:
        raise HandlerError(
            "Runtime.ImportModuleError", f"Unable to import module '{path}': {error}"
        ) from error
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n'
        raise HandlerError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{path}': {error}", [where]
        ) from error
