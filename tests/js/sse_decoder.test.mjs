/** The decoder of server-sent events follows WHATWG HTML 9.2.6, however the bytes are cut. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SSEDecoder } from "../../src/yieldwire/asgi/static/client.js";

const bytes = (text) => new TextEncoder().encode(text);

function decode(text, cuts = []) {
    const decoder = new SSEDecoder();
    const whole = typeof text === "string" ? bytes(text) : text;
    const frames = [];
    let start = 0;
    for (const end of [...cuts, whole.length]) {
        frames.push(...decoder.feed(whole.subarray(start, end)));
        start = end;
    }
    return { frames, decoder };
}

/** A small seeded generator, so that a failure can be repeated by its seed. */
function randomOf(seed) {
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
    return { int: (limit) => Math.floor(next() * limit), pick: (list) => list[Math.floor(next() * list.length)] };
}

/** Any lines and line ends, with what is hard: marks, NUL, multi-byte characters, U+2028, colons, spaces. */
function anyStream(random) {
    const values = ["", " ", "a", "é", "😀", "\u2028", "\ufeff", "\0", ":", ' {"x":1}', "a: b", "12", "r.7", "１"];
    const fields = ["data", "event", "id", "retry", "", "unknown", "data ", "\ufeffdata"];
    const lines = Array.from({ length: random.int(30) }, () => {
        const line =
            random.int(3) === 0 ? "" : random.pick(fields) + random.pick(["", ":", ": "]) + random.pick(values);
        return line + random.pick(["\n", "\r", "\r\n"]);
    });
    return random.pick(["", "\ufeff"]) + lines.join("");
}

/** The standard's algorithm, over the whole text at once. */
function reference(text) {
    const frames = [];
    let [data, type, id] = ["", "", ""];
    const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
    for (const line of lines.slice(0, -1)) {
        if (line === "") {
            if (data !== "") frames.push({ id, type: type || "message", data: data.replace(/\n$/, "") });
            [data, type] = ["", ""];
            continue;
        }
        const found = /^([^:]*)(?:: ?(.*))?$/su.exec(line);
        const [field, value] = [found[1], found[2] ?? ""];
        if (field === "data") data += `${value}\n`;
        if (field === "event") type = value;
        if (field === "id" && !value.includes("\0")) id = value;
    }
    return frames;
}

test("any stream survives any slicing", () => {
    for (let seed = 1; seed <= 3000; seed++) {
        const random = randomOf(seed);
        const text = anyStream(random);
        const { length } = bytes(text);
        const cuts = Array.from({ length: random.int(20) }, () => random.int(length + 1)).sort((a, b) => a - b);

        assert.deepEqual(decode(text, cuts).frames, reference(text), `seed ${seed}, cuts ${cuts}`);
    }
});

test("any stream survives being cut after every byte", () => {
    for (let seed = 1; seed <= 500; seed++) {
        const text = anyStream(randomOf(seed));
        const cuts = Array.from({ length: bytes(text).length }, (_, place) => place);

        assert.deepEqual(decode(text, cuts).frames, reference(text), `seed ${seed}`);
    }
});

test("a frame has the id, the type and the data of its lines", () => {
    const { frames } = decode("id: r.1\nevent: done\ndata: {}\n\n");

    assert.deepEqual(frames, [{ id: "r.1", type: "done", data: "{}" }]);
});

test("a frame without an event name is a message", () => {
    assert.equal(decode("data: x\n\n").frames[0].type, "message");
});

test("several data lines are joined by line feeds", () => {
    assert.equal(decode("data: a\ndata\ndata: b\n\n").frames[0].data, "a\n\nb");
});

test("only one space after the colon is taken away", () => {
    assert.deepEqual(
        decode("data:  a\n\ndata:b\n\n").frames.map((frame) => frame.data),
        [" a", "b"],
    );
});

test("CR, LF and CR LF end a line, also when a CR LF is cut in two", () => {
    const text = "data: a\r\rdata: b\n\ndata: c\r\n\r\n";

    for (let cut = 0; cut <= text.length; cut++) {
        assert.deepEqual(
            decode(text, [cut]).frames.map((frame) => frame.data),
            ["a", "b", "c"],
        );
    }
});

test("one byte order mark at the start is no text, also when it is cut", () => {
    for (const cut of [0, 1, 2, 3]) {
        assert.equal(decode("\ufeffdata: a\n\n", [cut]).frames.length, 1);
    }
    assert.equal(decode("\ufeff\ufeffdata: a\n\n").frames.length, 0);
});

test("an id with NUL is ignored and the one before stays", () => {
    const { frames } = decode("id: r.1\ndata: a\n\nid: r\0.2\ndata: b\n\n");

    assert.deepEqual(
        frames.map((frame) => frame.id),
        ["r.1", "r.1"],
    );
});

test("an empty id clears the one before", () => {
    assert.equal(decode("id: r.1\ndata: a\n\nid\ndata: b\n\n").frames[1].id, "");
});

test("an id without data moves the last event id and makes no frame", () => {
    const { frames, decoder } = decode("id: r.5\n\n");

    assert.deepEqual([frames.length, decoder.lastEventId], [0, "r.5"]);
});

test("an id of a frame that is not whole does not move the last event id", () => {
    assert.equal(decode("id: r.1\ndata: a\n\nid: r.2\ndata: b\n").decoder.lastEventId, "r.1");
});

test("comments make no frame", () => {
    assert.deepEqual(decode(": keepalive\n\n:\n\n").frames, []);
});

test("an event name without data is dropped with its frame", () => {
    const { frames } = decode("event: done\n\ndata: a\n\n");

    assert.deepEqual(
        frames.map((frame) => frame.type),
        ["message"],
    );
});

test("retry takes ASCII digits only", () => {
    const retryOf = (value) => decode(`retry: ${value}\n`).decoder.retryMs;

    assert.deepEqual(["3000", "", "1.5", "-1", "1e3", "١"].map(retryOf), [3000, null, null, null, null, null]);
});

test("an unfinished frame at the end is not given out", () => {
    assert.deepEqual(decode("data: a\n").frames, []);
});

test("bytes that are no UTF-8 become replacement characters", () => {
    const { frames } = decode(Uint8Array.of(...bytes("data: "), 0xff, ...bytes("\n\n")));

    assert.equal(frames[0].data, "\ufffd");
});

test("a frame beyond the limit is refused, however it arrives", () => {
    const refused = { code: "PROTOCOL_ERROR" };

    assert.throws(() => new SSEDecoder({ limit: 10 }).feed(bytes(`data: ${"x".repeat(20)}`)), refused);
    assert.throws(() => new SSEDecoder({ limit: 10 }).feed(bytes("data: x\n".repeat(3))), refused);
});

test("keepalives do not count towards the limit of a frame", () => {
    assert.equal(new SSEDecoder({ limit: 30 }).feed(bytes(`${": keepalive\n".repeat(100)}data: x\n\n`)).length, 1);
});

test("a line of a million single bytes is joined once", () => {
    const decoder = new SSEDecoder();
    const one = bytes("x");
    decoder.feed(bytes("data: "));
    for (let count = 0; count < 1_000_000; count++) decoder.feed(one);

    assert.equal(decoder.feed(bytes("\n\n"))[0].data.length, 1_000_000);
});
