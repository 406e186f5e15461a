from yieldwire.stores.statements import positional


def test_the_names_in_a_statement_become_places_in_their_order() -> None:
    text, names = positional("INSERT INTO runs (id, key)\nVALUES (:id, :key, :id)")

    assert text == "INSERT INTO runs (id, key)\nVALUES (?, ?, ?)"
    assert names == ["id", "key", "id"]
