"""What stands beside tensors in a file, as values whose fields are checked when they are read."""

import reprlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Description(BaseModel):
    """The base of descriptions: types are taken at their word, and floats are finite."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


def complaint(error: ValidationError) -> str:
    """The first field that is wrong, as `grids.1.0`: what it should be, and what it is."""
    first = error.errors(include_url=False)[0]
    message = first["msg"][0].lower() + first["msg"][1:]
    if not first["loc"]:
        return f"its description can't be read ({message})"
    field = ".".join(map(str, first["loc"]))
    given = "" if first["type"] == "missing" else f", and it is {reprlib.repr(first['input'])}"
    return f"{field}: {message}{given}"
