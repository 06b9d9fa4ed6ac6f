#!/usr/bin/python3
"""Opens pages in a headless Chromium and asks them questions, over the DevTools pipe.

    browse.py speedscope INDEX.HTML PROFILE    the frame with the most self weight, as the tool's own table has it
    browse.py dhat DH_VIEW.HTML FILE           the text of the page after loading FILE
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time


class Browser:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="heaptide-browser.")
        to_browser, self.to = os.pipe()
        self.back, from_browser = os.pipe()

        def take_pipes():
            os.dup2(to_browser, 13)
            os.dup2(from_browser, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        self.process = subprocess.Popen(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--window-size=1400,1000",
             "--allow-file-access-from-files", "--user-data-dir=" + self.home, "--remote-debugging-pipe", "about:blank"],
            preexec_fn=take_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.last = 0
        self.session = None

    def message(self):
        while b"\0" not in self.buffer:
            more = os.read(self.back, 1 << 20)
            if not more:
                raise SystemExit("the browser ended")
            self.buffer += more
        one, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.last += 1
        request = {"id": self.last, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise SystemExit("%s: %s" % (method, answer["error"]))
                return answer["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.navigate", url=url)

    def ask(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            return None
        return result["result"].get("value")

    def wait(self, expression, seconds=40):
        end = time.time() + seconds
        while time.time() < end:
            value = self.ask(expression)
            if value:
                return value
            time.sleep(0.2)
        raise SystemExit("nothing after %d s of: %s\n%s" % (
            seconds, expression, self.ask("document.body && document.body.innerText")))

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def speedscope(b, page, profile):
    # As its own command line does it: the profile stands in a script that the page loads.
    data = base64.b64encode(pathlib.Path(profile).read_bytes()).decode()
    script = os.path.join(b.home, "profile.js")
    pathlib.Path(script).write_text("speedscope.loadFileFromBase64(%s, %s)" % (
        json.dumps(os.path.basename(profile)), json.dumps(data)))
    b.open("file://%s#localProfilePath=%s" % (os.path.abspath(page), script))
    b.wait("document.body.innerText.includes('Sandwich')")
    b.ask("[...document.querySelectorAll('div')].filter(d => d.innerText.includes('Sandwich') && !d.children.length"
          " || d.innerText.trim().endsWith('Sandwich') && d.children.length < 2).slice(-1)[0].click()")
    b.ask("window.dispatchEvent(new KeyboardEvent('keydown', {key: '3'}))")
    b.wait("document.querySelectorAll('table tr').length > 1")
    rows = b.ask("[...document.querySelectorAll('table tr')].map(r => [...r.querySelectorAll('td')].map(c => c.innerText))")
    for row in rows:
        if len(row) >= 3:
            print("\t".join(cell.replace("\n", " ") for cell in row))


def dhat(b, page, path):
    b.open("file://" + os.path.abspath(page))
    b.wait("document.querySelector('input[type=file]') !== null")
    document = b.call("DOM.getDocument")["root"]["nodeId"]
    node = b.call("DOM.querySelector", nodeId=document, selector="input[type=file]")["nodeId"]
    b.call("DOM.setFileInputFiles", nodeId=node, files=[os.path.abspath(path)])
    print(b.wait("(t => t.includes('Invocation') && t)(document.body.innerText)"))


def main():
    browser = Browser()
    try:
        {"speedscope": speedscope, "dhat": dhat}[sys.argv[1]](browser, *sys.argv[2:])
    finally:
        browser.close()


main()
