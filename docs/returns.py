"""What a function returns is told here in a sentence, without the type, which its signature says already."""

import re
from typing import Any

import griffe


class TypeOfReturns(griffe.Extension):
    """Puts the type before the sentence, or else what ends with its first colon would be taken for one."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Of every function that has a docstring."""
        if func.docstring and func.returns:
            found = re.compile(r"^( *Returns:\n +)", re.MULTILINE)
            func.docstring.value = found.sub(rf"\g<1>{func.returns}: ", func.docstring.value)
