"""What the scripts of carriers share: one JSON object a line on standard input, an answer a line on standard output.

    {"do": "post", "url": …, "signed_url"?: …, …}   calls a webhook; says its status, and yes or no: what the SDK's own check
                                                   says of the same request
    {"do": "send", "base": …, …}                    the SDK sends a text to a server at `base`; says sent

`url` is called; `signed_url` is what is signed, where a proxy stands between. `age` is how many seconds ago the request was
signed, `forged` spoils the signature.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit


def post(url, body, headers, method="POST"):
    """The status that was answered."""
    to = urlsplit(url)
    connection = http.client.HTTPConnection(to.hostname, to.port, timeout=30)
    connection.request(method, to.path + (f"?{to.query}" if to.query else ""), body, headers)
    return connection.getresponse().status


def spoiled(signature):
    return signature[:4] + ("A" if signature[4] != "A" else "B") + signature[5:]


def told(status, is_theirs):
    return f"{status} {'yes' if is_theirs else 'no'}"


def serve(does):
    for line in sys.stdin:
        asked = json.loads(line)
        print(does[asked["do"]](asked), flush=True)
