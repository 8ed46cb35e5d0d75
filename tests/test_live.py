"""The live page: what a browser answers is what PyTorch answers, offline, by keyboard, on a narrow screen.

A real browser does all of it, against the folder that `make site` publishes.
"""

import http.server
import itertools
import json
import re
import socket
import statistics
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import torch
from browser import AXE, ROOT, chromium, require, served
from references import randomise
from torch.nn import functional as F

from mvit2_lib import MobileViTv2, cost, load_pretrained
from mvit2_lib.attention import LinformerSelfAttention, SeparableSelfAttention
from mvit2_lib.course import timing
from mvit2_lib.course.records import Timings, slope
from mvit2_lib.deploy.live import LookingModel, attention_graph, attention_layers

MEASURE_AT_ONCE = "--enable-blink-features=ForceEagerMeasureMemory"  # memory, and not at some later time


# The graph, without a browser


def test_the_looking_model_answers_as_the_model_and_shows_its_shares():
    model = randomise(MobileViTv2(0.25, num_classes=10, in_channels=1)).eval()
    picture = torch.rand(1, 1, 8, 8)
    enlarged = F.interpolate(picture, (64, 64), mode="bilinear")
    kept = []
    for layer in attentions(model):
        layer.register_forward_hook(lambda layer, inputs, _: kept.append(layer.context_scores(inputs[0])))
    with torch.no_grad():
        logits, *shares = LookingModel(model, 64).eval()(picture, torch.tensor(0.0))
        expected = model(enlarged)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert len(shares) == len(kept) == 9
    for share, scores in zip(shares, kept, strict=True):
        N = scores.shape[-2]
        assert share.shape == (round(N**0.5),) * 2
        torch.testing.assert_close(share.flatten(), N * scores.mean(dim=(0, 1, 3)), rtol=1e-4, atol=1e-4)


def test_equal_scores_are_the_mean_of_all_patches_and_the_slider_mixes(monkeypatch):
    model = randomise(MobileViTv2(0.25, num_classes=10, in_channels=1)).eval()
    looking, picture = LookingModel(model, 64).eval(), torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        own, half, equal = (looking(picture, torch.tensor(share)) for share in (0.0, 0.5, 1.0))
        monkeypatch.setattr(
            SeparableSelfAttention, "context_scores", lambda _, x: x.new_full((*x.shape[:-1], 1), 1 / x.shape[-2])
        )
        expected = model(F.interpolate(picture, (64, 64), mode="bilinear"))
    torch.testing.assert_close(equal[0], expected, rtol=1e-4, atol=1e-4)
    assert (own[0] - equal[0]).abs().max() > 0.01
    torch.testing.assert_close(half[1], (own[1] + 1) / 2)  # the first layer; later ones see other inputs


def test_the_layers_that_are_measured_are_the_librarys():
    onnxruntime = pytest.importorskip("onnxruntime")
    for name, layer in attention_layers().items():
        session = onnxruntime.InferenceSession(attention_graph(layer), providers=["CPUExecutionProvider"])
        for k in (7, 300):
            feeds = {"x": torch.randn(1, k, 64)}
            expected = layer
            if name == "linformer":
                feeds |= {"E": torch.randn(64, k), "F": torch.randn(64, k)}
                expected = LinformerSelfAttention(64, 4, num_tokens=k, projected_tokens=64)
                mixing = {f"{letter}.weight": feeds[letter] for letter in "EF"}
                expected.load_state_dict(layer.state_dict() | mixing)
            with torch.no_grad():
                y = expected(feeds["x"]).numpy()
            [answer] = session.run(None, {letter: tensor.numpy() for letter, tensor in feeds.items()})
            assert np.abs(answer - y).max() < 1e-4, (name, k)


def attentions(model):
    return [module for module in model.modules() if isinstance(module, SeparableSelfAttention)]


# The records of a class, without a browser


def records(folder, name, title="one layer", seconds=1e-6):
    rows = [
        {"name": one, "size": k, "seconds": [seconds * k**power, 2 * seconds * k**power]}
        for one, power in (("multi-head, explicit", 2), ("separable", 1))
        for k in (256, 512, 1024, 2048)
    ]
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"title": title, "machine": name, "measurements": rows}), encoding="utf-8")
    return str(path)


def test_a_class_is_drawn_into_one_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        records(tmp_path, f"phone {number}", seconds=1e-7 * (number + 1))
    with pytest.raises(SystemExit, match="0"):
        timing.main(["--merge", "*.json"])
    said = capsys.readouterr().out
    assert re.search(r"phone 1: multi-head, explicit 2\.00 ± 0\.00; separable 1\.00 ± 0\.00", said)
    assert (tmp_path / "devices.png").read_bytes().startswith(b"\x89PNG")
    assert "devices.png: 3 devices" in said


def test_what_does_not_belong_to_the_class_is_named_and_left_out(tmp_path, capsys):
    good = records(tmp_path, "good")
    other = records(tmp_path, "other", title="two layers")
    broken = tmp_path / "broken.json"
    broken.write_text('{"title": "one layer", "machine"', encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        timing.main([str(tmp_path / "class.png"), "--merge", good, other, str(broken), str(tmp_path / "absent.json")])
    said = capsys.readouterr().out
    assert said.count("left out: ") == 3
    assert "class.png: 1 device\n" in said
    second = records(tmp_path, "second")  # now most have this title, whichever comes first
    with pytest.raises(SystemExit, match="1"):
        timing.main([str(tmp_path / "class.png"), "--merge", other, good, good, second])
    assert "class.png: 2 devices\n" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        timing.main([good, "--merge", second])  # never over a record
    assert "does not end in .png" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        timing.main(["--merge", str(broken)])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"seconds": [0.0]}, "above zero"),
        ({"seconds": [float("nan")]}, "above zero"),
        ({"seconds": "12"}, "list of seconds"),
        ({"size": "64"}, "a size must be a number"),
        ({"size": 128}, "measured twice"),
    ],
)
def test_records_that_no_clock_can_have_given_are_refused(tmp_path, row, said):
    rows = [{"name": "separable", "size": size, "seconds": [1e-3]} for size in (64, 128)]
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"title": "", "machine": "", "measurements": [rows[0] | row, rows[1]]}))
    with pytest.raises(ValueError, match=said):
        Timings.load(path)


# Everything from here on needs a browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the live page, built."""
    require()
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import live_page
    finally:
        sys.path.pop(0)
    site = tmp_path_factory.mktemp("site")
    live_page.build(site / "live")
    return site


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as url:
        yield url + "/live/"


@pytest.fixture(scope="module")
def browser():
    with chromium("--js-flags=--expose-gc", MEASURE_AT_ONCE) as started:
        yield started


@pytest.fixture
def opened(browser, address):
    """Return a function that opens the page, and refuses every other host; errors on the page are failures."""
    contexts, troubles = [], []

    def open_page(before=None, **options):
        context = browser.new_context(**options)
        contexts.append(context)

        def only_here(route):
            if route.request.url.startswith((address.removesuffix("live/"), "data:", "blob:")):
                route.fallback()
            else:
                troubles.append(f"asks another host: {route.request.url}")
                route.abort()

        context.route("**/*", only_here)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if before:
            before(page)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(opened):
    """Return the page with the model loaded, and the network cut from then on."""
    page = opened(viewport={"width": 1280, "height": 900})
    load(page)
    page.context.set_offline(True)
    return page


def load(page):
    page.click("#load:enabled")
    page.wait_for_selector("#paper", state="visible")


def answered(page):
    page.wait_for_function("document.querySelector('#answer').dataset.digit !== ''")
    page.wait_for_timeout(150)  # whatever was asked last
    return page.get_attribute("#answer", "data-digit")


@pytest.mark.slow
def test_the_browser_gives_pytorchs_logits_and_shares(page):
    page.context.set_offline(False)  # the modules are asked for once more, by the test
    random = np.random.default_rng(0)
    digits = load_pretrained("digits")
    looking = LookingModel(digits.model, 64).eval()
    cases = [(random.random(64).round(3).tolist(), equal) for equal in (0, 0.35, 1) for _ in range(7)]
    outputs = page.evaluate(
        """async (cases) => {
          const { download, Runtime } = await import("./runtime.js");
          const files = await download(await (await fetch("files.json")).json(), () => {});
          const model = await new Runtime(files).start("digits").whenReady();
          const found = [];
          for (const [picture, equal] of cases) {
            const feeds = { picture: [Float32Array.from(picture), [1, 1, 8, 8]], equal: [Float32Array.of(equal), []] };
            const outputs = await model.ask("run", { name: "digits", feeds });
            const names = ["logits", ...Array.from({ length: 9 }, (_, layer) => `shares_${layer}`)];
            found.push(names.map((name) => [...outputs[name][0]]));
          }
          return found;
        }""",
        cases,
    )
    for (picture, equal), answers in zip(cases, outputs, strict=True):
        with torch.no_grad():
            image = torch.tensor(picture).reshape(1, 1, 8, 8)
            expected = looking(image, torch.tensor(float(equal)))
            if equal == 0:
                enlarged = F.interpolate(image, (64, 64), mode="bilinear")
                assert np.abs(digits.model(enlarged).numpy() - answers[0]).max() < 1e-4
        for ours, theirs in zip(expected, answers, strict=True):
            assert np.abs(ours.flatten().numpy() - theirs).max() < 1e-4


@pytest.mark.slow
def test_a_drawing_is_answered_while_it_grows(page):
    for digit in range(10):  # the examples are digits that the model knows
        page.click(f"#examples button:nth-child({digit + 1})")
        assert answered(page) == str(digit)
    page.click("#clear")
    assert page.inner_text("#answer") == "Draw a digit, or choose an example."
    page.evaluate(
        """() => {
          window.waited = [];
          let moved = null;
          const paper = document.querySelector("#paper");
          paper.addEventListener("pointermove", () => (moved ??= performance.now()), true);
          new MutationObserver(() => {
            if (moved !== null) window.waited.push(performance.now() - moved);
            moved = null;
          }).observe(document.querySelector("#answer"), { attributes: true });
        }"""
    )
    box = page.locator("#paper").bounding_box()
    corners = [(0.3, 0.16), (0.7, 0.16), (0.46, 0.84)]
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=20)
    page.mouse.up()
    assert answered(page) == "7"
    waited = page.evaluate("window.waited")
    assert len(waited) >= 5, "the answer changed too seldom"
    assert statistics.median(waited) < 200
    own = page.get_attribute("#answer", "data-logits")
    page.fill("#equal", "100")
    page.wait_for_function("own => document.querySelector('#answer').dataset.logits !== own", arg=own)
    assert "equal scores" in page.inner_text("#answer")
    assert page.locator("#views figcaption span").all_inner_texts() == ["all 1.00"] * 9


@pytest.mark.slow
def test_the_keyboard_draws_as_well(page):
    page.focus("#paper")
    for key in [" "] + ["ArrowDown"] * 12 + [" "]:
        page.keyboard.press(key)
    assert answered(page) == "1"
    page.wait_for_function("document.querySelector('#spoken').textContent.startsWith('1, with')")
    assert "shares" in page.get_attribute("#views canvas", "aria-label")
    page.keyboard.press("Backspace")
    page.wait_for_function("document.querySelector('#answer').dataset.digit === ''")
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    wanted = {"paper", "clear", "equal", "device", "start", "count-k", "count-d", "count-h", "count-p", "0", "9"}
    assert wanted <= reached


@pytest.mark.slow
def test_redrawing_takes_no_more_and_more_memory(browser, folder):
    with served(folder, Isolated) as url:
        page = browser.new_page()
        page.goto(f"{url}/live/")
        load(page)
        redraw(page, 400)
        before = bytes_held(page)
        redraw(page, 400)
        assert bytes_held(page) - before < 200_000  # half a kilobyte each; what an answer holds is more
        page.close()


class Isolated(http.server.SimpleHTTPRequestHandler):
    """A server whose pages may ask the browser for their memory, that of workers and WebAssembly included."""

    def end_headers(self):
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


def redraw(page, times):
    page.evaluate(
        """async (times) => {
          const [examples, answer] = ["#examples button", "#answer"].map((name) => document.querySelectorAll(name));
          for (let number = 0; number < times; number++) {
            const answered = new Promise((resolve) =>
              new MutationObserver((_, it) => (it.disconnect(), resolve())).observe(answer[0], { attributes: true }));
            examples[number % 10].click();
            await answered;
          }
        }""",
        times,
    )


def bytes_held(page):
    """Return what scripts hold: the least of some readings, since what is waiting to be freed comes and goes."""
    readings = []
    for _ in range(8):
        for part in (page, *page.workers):
            part.evaluate("gc()")
        measured = page.evaluate("performance.measureUserAgentSpecificMemory()")
        readings.append(sum(part["bytes"] for part in measured["breakdown"] if "JavaScript" in part["types"]))
        page.wait_for_timeout(100)
    return min(readings)


@pytest.mark.slow
def test_a_device_is_measured_and_its_record_read_by_the_library(page, tmp_path, capsys):
    page.fill("#device", "Anna's phone / 3")
    page.click("#start")
    page.click("#stop")  # while it is still starting
    page.wait_for_selector("#start:enabled")
    assert "Stopped" in page.inner_text("#measuring")
    assert page.is_disabled("#save")
    page.click("#start")
    page.wait_for_function("document.querySelectorAll('#times tbody tr').length >= 2")
    page.click("#stop")
    page.wait_for_selector("#start:enabled")
    assert "Stopped" in page.inner_text("#measuring")
    assert page.is_enabled("#save")
    page.click("#start")
    page.wait_for_selector("#start:enabled", timeout=45_000)
    assert "Done" in page.inner_text("#measuring")
    with page.expect_download() as download:
        page.click("#save")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "Anna_s_phone_3.json"
    timings = Timings.load(path)
    assert timings.machine.startswith("Anna's phone / 3: Linux, ")
    assert timings.names == ["multi-head, explicit", "Linformer", "separable"]
    assert timings.sizes("separable") == [64, 128, 256, 512, 1024, 2048, 4096]
    assert timings.slope("separable", 512, 2048).value < 1.4
    assert timings.slope("multi-head, explicit", 512, 2048).value > 1.5
    for name in timings.names:  # the page's own fit is the library's
        shown = float(page.get_attribute(f'#slopes [data-name="{name}"]', "data-slope"))
        assert shown == pytest.approx(timings.slope(name, 512).value, abs=2e-3)
    with pytest.raises(SystemExit, match="0"):
        timing.main([str(tmp_path / "one.png"), "--merge", str(path)])


@pytest.mark.slow
def test_javascript_counts_as_python_does(opened):
    page = opened()
    random = np.random.default_rng(1)
    settings = [[int(2 ** random.uniform(1, 14)) for _ in range(4)] for _ in range(200)]
    counted = page.evaluate(
        """async (settings) => {
          const cost = await import("./cost.js");
          return settings.map(([k, d, p, h]) => [
            cost.multiHeadMacs(k, d), cost.linformerMacs(k, d, p),
            cost.separableMacs(k, d), cost.separableMacs(k, d, "executed"),
            cost.multiHeadBytes(k, d, h), cost.linformerBytes(k, d, p, h), cost.separableBytes(k, d),
          ]);
        }""",
        settings,
    )
    assert counted == [
        [
            *(cost.multi_head_macs(k, d), cost.linformer_macs(k, d, p), cost.separable_macs(k, d)),
            *(cost.separable_macs(k, d, "executed"), cost.multi_head_bytes(k, d, h)),
            *(cost.linformer_bytes(k, d, p, h), cost.separable_bytes(k, d)),
        ]
        for k, d, p, h in settings
    ]
    # And the sliders show these numbers: k = 2¹², d = 2⁶, h = 2², p = 2⁶.
    page.fill("#count-k", "12")
    shown = [int(cell.get_attribute("data-value")) for cell in page.query_selector_all("#macs [data-value]")]
    assert shown == [
        *(cost.multi_head_macs(4096, 64), cost.linformer_macs(4096, 64, 64)),
        *(cost.separable_macs(4096, 64), cost.separable_macs(4096, 64, "executed")),
    ]
    assert page.inner_text("#count-k-value") == "4096"


@pytest.mark.slow
def test_slopes_and_enlarging_are_the_librarys(opened):
    page = opened()
    random = np.random.default_rng(2)
    sizes, seconds = [64, 128, 512, 4096], random.random(4).tolist()
    fitted = page.evaluate("async ([x, y]) => (await import('./records.js')).slope(x, y)", [sizes, seconds])
    expected = slope(sizes, seconds)
    assert (fitted["value"], fitted["error"]) == pytest.approx((expected.value, expected.error))
    small = random.random(64).tolist()
    large = page.evaluate("async (x) => [...(await import('./digit.js')).enlarge(x, 8, 64)]", small)
    by_pytorch = F.interpolate(torch.tensor(small).reshape(1, 1, 8, 8), (64, 64), mode="bilinear")
    assert np.abs(by_pytorch.flatten().numpy() - large).max() < 1e-5
    # Where on the paper, and how large, makes no difference; and there is about as much ink as in the data set.
    stroke = [[10, 10], [80, 10], [40, 90]]
    moved = [[3 * x + 50, 3 * y + 20] for x, y in stroke]
    pictures = page.evaluate(
        "async (all) => { const it = await import('./digit.js'); return all.map((one) => [...it.toPicture([one])]) }",
        [stroke, moved],
    )
    assert pictures[0] == pytest.approx(pictures[1], abs=0.13)
    assert 0.25 < np.mean(pictures[0]) < 0.35


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("delete globalThis.WebAssembly", "no WebAssembly"),
        ("WebAssembly.validate = () => false", "without SIMD"),
    ],
)
def test_a_browser_that_cannot_gets_a_sentence_and_the_rest(opened, script, said):
    page = opened(lambda page: page.add_init_script(script))
    page.wait_for_function("said => document.querySelector('.state').textContent.includes(said)", arg=said)
    assert page.is_disabled("#load")
    assert page.locator("#macs tbody tr").count() == 4


@pytest.mark.slow
def test_an_interrupted_download_gets_a_sentence_and_another_try(opened, folder):
    whole = (folder / "live" / "ort.wasm").read_bytes()
    ways = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=503),
        lambda route: route.fulfill(body=whole[:1_000_000]),
        lambda route: route.fulfill(body=b"<html>please log in to this network</html>"),
    ]
    page = opened(
        lambda page: page.route("**/ort.wasm", lambda route: ways.pop(0)(route) if ways else route.fallback())
    )
    while ways:
        left = len(ways)
        page.click("#load:enabled")
        page.wait_for_function(
            "document.querySelector('.state').textContent.includes('The download of ort.wasm stopped')"
        )
        assert len(ways) == left - 1
        assert page.inner_text("#load") == "Try again"
    load(page)
    page.click("#examples button:nth-child(5)")
    assert answered(page) == "4"


@pytest.mark.slow
@pytest.mark.parametrize("body", ["", "null", "{}", "<html>please log in</html>", '{"ort.wasm": '])
def test_a_list_of_files_that_is_none_gets_a_sentence_and_another_try(opened, body):
    bodies = [body]
    page = opened(
        lambda page: page.route(
            "**/files.json", lambda route: route.fulfill(body=bodies.pop()) if bodies else route.fallback()
        )
    )
    page.click("#load:enabled")
    page.wait_for_function("document.querySelector('.state').textContent.includes('The list of files could not')")
    load(page)


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["draw.js", "main.js"])
def test_a_page_of_which_a_part_is_lost_says_so_and_counts_all_the_same(browser, address, lost):
    page = browser.new_page()
    page.route(f"**/{lost}", lambda route: route.fulfill(body="this is no ( script", content_type="text/javascript"))
    page.goto(address)
    page.wait_for_function("getComputedStyle(document.querySelector('.state')).visibility === 'visible'")
    assert "a part of the page did not arrive" in page.inner_text(".state")
    assert page.locator("#macs tbody tr").count() == 4
    page.close()


@pytest.mark.slow
def test_fingers_buttons_and_keys_do_not_get_into_each_others_way(page):
    box = page.locator("#paper").bounding_box()
    page.mouse.click(box["x"] + 50, box["y"] + 50, button="right")
    assert page.get_attribute("#answer", "data-digit") == ""
    page.focus("#paper")
    for key in (" ", "ArrowDown"):
        page.keyboard.press(key)
    page.click("#clear")  # the pen was down
    page.focus("#paper")
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(200)
    assert page.get_attribute("#answer", "data-digit") == ""
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 160, steps=4)
    page.keyboard.press("Backspace")  # while the button is held
    page.mouse.move(box["x"] + 160, box["y"] + 160, steps=4)
    page.mouse.up()
    page.click("#examples button:nth-child(8)")
    assert answered(page) == "7"


NO_MEMORY = """
window.Worker = class extends Worker {
  postMessage({ id, job, data }) {
    const fails = job === "time" && data.name === "multi_head" && data.k >= 512;
    if (fails) this.onmessage({ data: { id, error: "no memory" } });
    else if (job === "time") this.onmessage({ data: { id, answer: data.k / 1e6 } }); // at once, to save time
    else super.postMessage({ id, job, data });
  }
};
"""


@pytest.mark.slow
def test_a_contestant_that_fails_is_left_out_and_the_others_go_on(opened):
    page = opened(lambda page: page.add_init_script(NO_MEMORY))
    load(page)
    page.click("#start")
    page.wait_for_selector("#start:enabled", timeout=45_000)
    assert "multi-head, explicit was left out from k = 512 on (no memory)" in page.inner_text("#measuring")
    assert page.get_attribute('#slopes [data-name="separable"]', "data-slope")


CUT_WORDS = """
() => [...document.querySelectorAll("td, th")].flatMap((cell) => {
  const words = [];
  for (const node of cell.childNodes) {
    for (const found of node.nodeType === Node.TEXT_NODE ? node.data.matchAll(/\\p{L}+/gu) : []) {
      const range = document.createRange();
      range.setStart(node, found.index);
      range.setEnd(node, found.index + found[0].length);
      if (range.getClientRects().length > 1) words.push(found[0]);
    }
  }
  return words;
})
"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_axe_finds_nothing_serious(opened, scheme):
    page = opened(color_scheme=scheme, viewport={"width": 360, "height": 640}, has_touch=True)
    load(page)
    page.click("#examples button:nth-child(4)")
    answered(page)
    for width in (360, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CUT_WORDS) == []
    page.set_viewport_size({"width": 360, "height": 800})
    page.add_style_tag(content="html { font-size: 200% }")  # who needs large letters turns pages, and not sideways
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    named = {"heading-order", "empty-table-header", "landmark-unique", "region", "page-has-heading-one"}
    assert [
        f"{one['id']}: {one['nodes'][0]['html']}"
        for one in found
        if one["impact"] in ("serious", "critical") or one["id"] in named
    ] == []


@pytest.mark.slow
def test_the_page_is_served_with_its_address_and_a_taken_port_is_named(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "docs/live_page.py", str(folder), "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as serving:
        lines = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, serving.stdout))
        [address] = re.findall(r"http://\S+/live/", "".join(lines))
        assert sum("▄" in line or "█" in line for line in lines) > 10  # the code, in the terminal
        assert urllib.request.urlopen(f"http://localhost:{port}/live/").status == 200
        assert address in urllib.request.urlopen(f"http://localhost:{port}/share").read().decode()
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        serving.terminate()
    assert second.returncode == 1
    assert f"port {port} cannot be used" in second.stderr
    assert f"make live PORT={port + 1}" in second.stderr


@pytest.mark.slow
def test_the_class_gets_the_address_as_a_qr_code(folder):
    import live_page
    import segno

    address = "http://192.0.2.7:8000/live/"
    with served(folder, live_page.Handler, address=address) as url:
        page = urllib.request.urlopen(f"{url}/share").read().decode()
        assert urllib.request.urlopen(f"{url}/live/main.js").headers["Content-Type"] == "text/javascript"
    drawn = re.search(r'<path[^>]* d="([^"]+)"', page)[1]
    assert drawn == re.search(r' d="([^"]+)"', segno.make(address).svg_inline(scale=12))[1]
    assert f'href="{address}"' in page
