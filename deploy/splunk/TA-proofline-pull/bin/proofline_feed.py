"""Modular input of Splunk 9 and newer (Python 3, standard library only): pulls one ledger of Proofline's feed.

A page is written to Splunk whole, flushed, and only then the checkpoint is replaced: whoever is stopped in between gets that page again,
and misses nothing. There is no start that nobody asked for: a cursor that is refused stops the input until a person decides.
"""

import calendar
import hashlib
import http.client
import json
import os
import signal
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape, quoteattr

LEDGERS = ("unit", "integration", "changes", "operations")
LIMIT = 1000
WAIT_S = 25
MAX_PAUSE_S = 60

SCHEME = """<scheme>
  <title>Proofline feed</title>
  <description>Records of code coverage, as they were signed. One input for each ledger.</description>
  <use_external_validation>true</use_external_validation>
  <streaming_mode>xml</streaming_mode>
  <use_single_instance>false</use_single_instance>
  <endpoint><args>
    <arg name="name"><title>Name</title></arg>
    <arg name="url"><title>URL of Proofline</title><description>https://proofline.example.com</description></arg>
    <arg name="ledger"><title>Ledger</title><description>unit, integration, changes or operations</description></arg>
    <arg name="token_file"><title>File with a token of scope feed</title><required_on_create>false</required_on_create>
      <description>Without one the token is that of storage/passwords with realm proofline and the name of this input</description></arg>
    <arg name="start"><title>Start</title><required_on_create>false</required_on_create>
      <description>Of the first time: earliest (default), latest, or a time in RFC 3339</description></arg>
    <arg name="kind"><title>Only these kinds</title><required_on_create>false</required_on_create></arg>
    <arg name="repository"><title>Only this repository</title><required_on_create>false</required_on_create></arg>
    <arg name="ca_file"><title>File with the certificates of the authority</title><required_on_create>false</required_on_create></arg>
  </args></endpoint>
</scheme>"""


class Refused(Exception):
    """What a person has to put right."""


def log(level, message):
    """splunkd takes lines of stderr that begin with a level into _internal."""
    sys.stderr.write("%s proofline_feed: %s\n" % (level, message))
    sys.stderr.flush()


def read_parameters(element):
    return {param.get("name"): (param.text or "").strip() for param in element.iter("param")}


def check(parameters):
    url = urllib.parse.urlsplit(parameters.get("url", ""))
    is_near = url.hostname in ("127.0.0.1", "::1", "localhost")
    if url.scheme != "https" and not (url.scheme == "http" and is_near):
        raise Refused("url: https://..., a token does not travel in the clear")
    if parameters.get("ledger") not in LEDGERS:
        raise Refused("ledger: one of " + ", ".join(LEDGERS))


def read_token(parameters, stanza, server_uri, session_key):
    path = parameters.get("token_file")
    if path:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    name = urllib.parse.quote("proofline:%s:" % stanza.split("://", 1)[-1], safe="")
    url = "%s/servicesNS/nobody/TA-proofline-pull/storage/passwords/%s?output_mode=json" % (server_uri, name)
    request = urllib.request.Request(url, headers={"Authorization": "Splunk " + session_key})
    # splunkd's own port on this machine: its certificate is its own.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        return json.load(answer)["entry"][0]["content"]["clear_password"]


class Checkpoint:
    """The cursor of one stanza, replaced as one file."""

    def __init__(self, folder, stanza):
        self.path = os.path.join(folder, hashlib.sha256(stanza.encode()).hexdigest()[:32] + ".cursor")

    def read(self):
        try:
            with open(self.path, encoding="ascii") as file:
                return file.read().strip()
        except FileNotFoundError:
            return None

    def write(self, cursor):
        unfinished = self.path + ".new"
        with open(unfinished, "w", encoding="ascii") as file:
            file.write(cursor + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to whom it was meant for, and to nobody else."""

    def redirect_request(self, *_):
        return None


def start_of(parameters):
    start = parameters.get("start") or "earliest"
    return {"cursor": start} if start in ("earliest", "latest") else {"since": start}


def page_url(parameters, stanza, cursor):
    query = {"limit": LIMIT, "wait": WAIT_S, "consumer": stanza}
    query.update({"cursor": cursor} if cursor else start_of(parameters))
    query.update({name: parameters[name] for name in ("kind", "repository") if parameters.get(name)})
    return "%s/v1/feed/%s?%s" % (parameters["url"].rstrip("/"), parameters["ledger"], urllib.parse.urlencode(query))


def problem_of(error):
    text = error.read().decode("utf-8", "replace")
    try:
        document = json.loads(text)
        return document.get("code", ""), document.get("detail", "")
    except ValueError:
        return "", text[:200]


def fetch(opener, url, token):
    """(lines, next cursor), or the seconds to wait before the same is asked again. Raises Refused for what will not pass by itself."""
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token, "Accept": "application/x-ndjson"})
    try:
        with opener.open(request, timeout=WAIT_S + 35) as answer:
            body = answer.read()
            cursor = answer.headers["proofline-next-cursor"]
            if cursor is None:
                raise Refused("%s is no feed of Proofline" % url)
            if body and not body.endswith(b"\n"):
                return None, 1  # broken off
            return (body.decode("utf-8").split("\n")[:-1], cursor), 0
    except urllib.error.HTTPError as error:
        code, detail = problem_of(error)
        if error.code == 429 or error.code >= 500:
            log("WARN", "HTTP %d %s" % (error.code, detail))
            return None, float(error.headers.get("retry-after") or 5)
        raise Refused("HTTP %d %s: %s" % (error.code, code, detail))
    except (OSError, http.client.HTTPException, ValueError) as error:
        log("WARN", "%s: %s" % (url.split("?", 1)[0], error))
        return None, 5


def events_of(lines, stanza, parameters):
    source = "proofline:" + parameters["url"].split("://", 1)[-1].rstrip("/") + "/" + parameters["ledger"]
    for line in lines:
        record = json.loads(line)
        # Seconds with six decimals from the digits themselves: a float has not so many.
        whole, decimals = record["recorded_at"].rstrip("Z").split(".")
        seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
        yield "<event stanza=%s><time>%d.%s</time><sourcetype>proofline:%s</sourcetype><source>%s</source><data>%s</data></event>" % (
            quoteattr(stanza), seconds, decimals, escape(record["kind"]), escape(source), escape(line))


def stream(parameters, stanza, checkpoint, token):
    context = ssl.create_default_context(cafile=parameters.get("ca_file") or None)
    opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=context))
    pause = 1.0
    while True:
        page, wait = fetch(opener, page_url(parameters, stanza, checkpoint.read()), token)
        if page is None:
            pause = min(MAX_PAUSE_S, max(wait, pause * 2))
            time.sleep(pause)
            continue
        pause = 1.0
        lines, cursor = page
        for event in events_of(lines, stanza, parameters):
            sys.stdout.write(event + "\n")
        sys.stdout.flush()
        checkpoint.write(cursor)


def main():
    if "--scheme" in sys.argv:
        print(SCHEME)
        return 0
    document = ElementTree.parse(sys.stdin.buffer).getroot()
    if "--validate-arguments" in sys.argv:
        try:
            check(read_parameters(document))
            return 0
        except Refused as error:
            print("<error><message>%s</message></error>" % escape(str(error)))
            return 1
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # nothing is lost by stopping anywhere
    stanza_element = document.find("configuration/stanza")
    stanza, parameters = stanza_element.get("name"), read_parameters(stanza_element)
    sys.stdout = os.fdopen(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)
    try:
        check(parameters)
        token = read_token(parameters, stanza, document.findtext("server_uri"), document.findtext("session_key"))
        checkpoint = Checkpoint(document.findtext("checkpoint_dir"), stanza)
        sys.stdout.write("<stream>\n")
        stream(parameters, stanza, checkpoint, token)
    except Refused as error:
        log("ERROR", str(error))
        return 1  # Splunk starts it again after `interval`


if __name__ == "__main__":
    sys.exit(main())
