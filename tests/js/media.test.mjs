/** Which addresses the developer page shows for an untrusted value. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileUrl, imageUrl, linkUrl, mediaTypeOf } from "../../src/yieldwire/devtools/static/media.js";

const PAGE = "http://127.0.0.1:8000/api/_actions/";
const ANY = { contentMediaType: "image/*" };

test("an image comes from its data or from the page's own origin", () => {
    assert.equal(imageUrl("data:image/png;base64,AAAA", ANY, PAGE), "data:image/png;base64,AAAA");
    assert.equal(imageUrl("/plots/1.png", ANY, PAGE), "http://127.0.0.1:8000/plots/1.png");
    assert.equal(imageUrl("1.png", ANY, PAGE), "http://127.0.0.1:8000/api/_actions/1.png");
});

test("nothing else is an image", () => {
    for (const value of [
        "https://127.0.0.1:8000/a.png",
        "http://127.0.0.1:8001/a.png",
        "//evil.example/a.png",
        "\\\\evil.example\\a.png",
        "data:text/html,x",
        " data:text/html,x",
        "data:image/",
        "javascript:alert(1)",
        "blob:http://127.0.0.1:8000/x",
        "http://[",
    ])
        assert.equal(imageUrl(value, ANY, PAGE), undefined, value);
});

test("base 64 is an image of the type that its schema gives", () => {
    const schema = { contentMediaType: "image/png", contentEncoding: "base64" };

    assert.equal(imageUrl("-_A=", schema, PAGE), "data:image/png;base64,+/A=");
    assert.equal(imageUrl("<svg>", schema, PAGE), undefined);
    assert.equal(imageUrl("AAAA", { ...schema, contentMediaType: "text/html" }, PAGE), undefined);
});

test("base 64 of another type is a file to save", () => {
    const schema = { contentMediaType: "application/pdf", contentEncoding: "base64" };

    assert.equal(fileUrl("AAAA", schema), "data:application/pdf;base64,AAAA");
    assert.equal(fileUrl("A A!", schema), undefined);
    assert.equal(fileUrl("AAAA", { contentMediaType: "application/pdf" }), undefined);
    assert.equal(fileUrl("AAAA", { ...schema, contentMediaType: "x" }), undefined);
});

test("a link leads to the web or to a mailbox", () => {
    assert.equal(linkUrl("/x", PAGE), "http://127.0.0.1:8000/x");
    assert.equal(linkUrl("https://example.com", PAGE), "https://example.com/");
    assert.equal(linkUrl("mailto:a@example.com", PAGE), "mailto:a@example.com");
    for (const value of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "java\nscript:x", "http://["])
        assert.equal(linkUrl(value, PAGE), undefined, value);
});

test("a media type is read without its parameters", () => {
    assert.equal(mediaTypeOf({ contentMediaType: "Text/Markdown; charset=utf-8" }), "text/markdown");
    assert.equal(mediaTypeOf({}), "");
});
