"""Examples for the OpenAPI document, made from the schemas and from what fields usually hold."""

import re
from typing import Any

# By the field's name, for fields whose schema leaves the value open.
VALUES: dict[str, Any] = {
    "purpose": "Seedlings",
    "reason": "Agreed at the meeting of 2 March",
    "comment": "A careful grower",
    "detail": "Paid on time since 2023",
    "note": "Said at the meeting",
    "name": "Wang Fang",
    "full_name": "Wang Fang",
    "label": "phone",
    "crop": "rice",
    "code": "rice",
    "title": "Seedlings for the spring",
    "text": "The pump at the lower field is broken.",
    "reference": "slip-8",
    "zh": "说明",
    "zh-CN": "说明",
    "en": "Explanation",
    "language": "zh-CN",
    "cursor": "",
    "next_cursor": None,
    "month": "2026-03",
    "If-Match": '"3"',
    "by": "crop",
    "text/csv": "day,amount\r\n2026-03-02,120.50\r\n",
    "status": "active",
}
_ID = re.compile(r"\^\(?([a-z]{2,3})(?:\|[a-z|]*)?\)?_\[")
DEEPEST = 8


def example_of(
    schema: dict[str, Any], schemas: dict[str, Any], *, name: str = "", lean: bool = False
) -> Any:
    """A value that the schema admits; `lean` leaves out what may be left out."""
    return _Maker(schemas, lean).make(schema, name, 0)


class _Maker:
    def __init__(self, schemas: dict[str, Any], lean: bool) -> None:
        self.schemas = schemas
        self.lean = lean

    def make(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        if "$ref" in schema:
            inner = schema["$ref"].rpartition("/")[2]
            return self.make(self.schemas[inner], name, depth)
        if "example" in schema:
            return schema["example"]
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        for joined in ("allOf", "anyOf", "oneOf"):
            if joined in schema:
                return self.make(schema[joined][0], name, depth)
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "null" in kinds and depth > DEEPEST:
            return None
        if "enum" in schema:
            usual = VALUES.get(name)
            return usual if usual in schema["enum"] else schema["enum"][0]
        kind = next(kind for kind in kinds if kind != "null")
        return getattr(self, f"_{kind}")(schema, name, depth)

    def _object(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        needed = schema.get("required", [])
        made = {
            field: self.make(inner, field, depth + 1)
            for field, inner in schema.get("properties", {}).items()
            if field in needed or not (self.lean or depth > DEEPEST)
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict) and more and not made:
            made = {"name": self.make(more, "name", depth + 1)}
        return made

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        if depth > DEEPEST and not schema.get("minItems"):
            return []
        inner = schema.get("items") or {"type": "string"}
        usual = VALUES.get(name)
        if isinstance(usual, list):
            return usual
        return [self.make(inner, name, depth + 1)] * max(1, schema.get("minItems", 1))

    def _string(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        if schema.get("format") == "date":
            return "2026-03-02"
        if schema.get("format") == "date-time":
            return "2026-03-02T08:30:00Z"
        if schema.get("format") == "uuid":
            return "0b58410b-12bb-4464-8000-000000000000"
        pattern = schema.get("pattern", "")
        found = _ID.match(pattern)
        if found:
            return f"{found[1]}_0123456789abcdef"
        usual = VALUES.get(name)
        text = usual if isinstance(usual, str) else name.replace("_", " ") or "text"
        longest = schema.get("maxLength", len(text))
        return text[:longest].ljust(schema.get("minLength", 0), "x")

    def _integer(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        usual = VALUES.get(name)
        value = usual if type(usual) is int else 1
        return max(schema.get("minimum", value), min(schema.get("maximum", value), value))

    def _number(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        return float(self._integer(schema, name, depth))

    def _boolean(self, schema: dict[str, Any], name: str, depth: int) -> Any:
        return True
