"""Manifests with schemas of every kind, also odd ones, for the generators of types."""

from typing import Final

from hypothesis import strategies as st

from yieldwire.errors import Json


def action(alias: str = "act", **facts: Json) -> dict[str, Json]:
    """Return an action as in a manifest."""
    empty = {"type": "object", "properties": {}, "title": f"{alias.title()}Input"}
    return {"alias": alias, "doc": "", "input": empty, "chunk": None, "result": {}, **facts}


words = st.one_of(
    st.sampled_from(["Item", "item", "File", "key", "__proto__", "constructor", "a b", "$ref"]),
    st.text(max_size=6),
)
REFERABLE: Final = ["Item", "item", "x y"]
references = st.sampled_from(REFERABLE).map(lambda name: {"$ref": f"#/$defs/{name}"})
described = st.fixed_dictionaries(
    {},
    optional={
        "title": words,
        "description": st.one_of(words, st.just("*/ }\n@x {")),
        "default": st.one_of(st.none(), words, st.integers()),
        "deprecated": st.booleans(),
    },
)
constants = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), words),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
plain = st.one_of(
    st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"]).map(
        lambda kind: {"type": kind}
    ),
    st.just({"type": "string", "format": "binary"}),
    constants.map(lambda value: {"const": value}),
    st.lists(constants, max_size=3).map(lambda values: {"enum": values}),
    references,
    st.just({}),
)


def larger(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    schemas = st.lists(inner, min_size=1, max_size=3)
    properties = st.dictionaries(words, inner, max_size=3)
    return st.one_of(
        st.sampled_from(["anyOf", "oneOf", "allOf"]).flatmap(
            lambda key: schemas.map(lambda found: {key: found})
        ),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.builds(
            lambda items, least, rest: {
                "type": "array",
                "prefixItems": items,
                "minItems": least,
                "items": rest,
            },
            schemas,
            st.integers(0, 3),
            st.one_of(st.just(False), inner),
        ),
        st.builds(
            lambda fields, required, extra: {
                "type": "object",
                "properties": fields,
                "required": [name for name in fields if required],
                "additionalProperties": extra,
            },
            properties,
            st.booleans(),
            st.one_of(st.booleans(), inner),
        ),
        st.builds(
            lambda values, names: {"additionalProperties": values, "propertyNames": names},
            inner,
            st.one_of(inner, st.just({"enum": ["a", 1, True, None]})),
        ),
    )


schemas = st.builds(
    lambda schema, facts: {**schema, **facts}, st.recursive(plain, larger, max_leaves=6), described
)
manifests = st.lists(
    st.builds(
        lambda n, definitions, taken, chunk, result, asks, inbox, doc: action(
            f"a{n}",
            doc=doc,
            input={**taken, "$defs": definitions},
            chunk=chunk and {**chunk, "$defs": definitions},
            result={**result, "$defs": definitions},
            asks={name: {**schema, "$defs": definitions} for name, schema in asks.items()},
            inbox=inbox and {**inbox, "$defs": definitions},
        ),
        st.integers(0, 10_000),
        st.fixed_dictionaries(dict.fromkeys(REFERABLE, schemas)),
        schemas,
        st.none() | schemas,
        schemas,
        st.dictionaries(words, schemas, max_size=2),
        st.none() | schemas,
        words,
    ),
    max_size=2,
    unique_by=lambda one: str(one["alias"]),
)
