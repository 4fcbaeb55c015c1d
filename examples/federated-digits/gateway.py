"""A gateway as an edge device sees it: GraphQL and files over HTTP, standard library only."""

import http.client
import json
import time
import urllib.error
import urllib.request

# A restarting gateway is back within seconds. Giving up at once would lose the device's work.
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.3

# The gateway is usually in the device's own network, so the web's proxy is not used.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The gateway refuses, with its reason. Another attempt would get the same answer."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Gateway:
    """Answers have the schema's shape. OSError: unreachable for longer than PATIENCE_SECONDS."""

    def __init__(self, url, key):
        self.url = url.rstrip("/")
        self.key = key

    def mutate(self, name, asked, selection):
        """Runs one mutation and returns its payload. Raises Refused with its code."""
        kind = name[0].upper() + name[1:]
        document = (
            f"mutation {kind}($input: {kind}Input!) {{ {name}(input: $input)"
            f" {{ __typename ... on {kind}Payload {{ {selection} }} ... on Error {{ code message }} }} }}"
        )
        body = json.dumps({"query": document, "variables": {"input": asked}}).encode("utf-8")
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        timeout = 30 + asked.get("waitSeconds", 0)
        answer = json.loads(self._request("POST", "/graphql", body, headers, timeout))
        for error in answer.get("errors") or []:
            raise Refused(error.get("extensions", {}).get("code", "ERROR"), error["message"])
        result = answer["data"][name]
        if "code" in result:
            raise Refused(result["code"], result["message"])
        return result

    def download(self, url):
        return self._request("GET", url)

    def upload(self, url, content):
        try:
            self._request("PUT", url, content, {"Content-Type": "application/octet-stream"})
        except Refused as refusal:
            # Already stored: an earlier try was complete, and only its answer was lost.
            if refusal.code != "HTTP 409":
                raise

    def _request(self, method, path, body=None, headers=None, timeout=30):
        deadline = time.monotonic() + PATIENCE_SECONDS
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        while True:
            try:
                with _direct.open(request, timeout=timeout) as response:
                    return response.read()
            except urllib.error.HTTPError as error:
                content = error.read()
                if error.code < 500:
                    if content[:1] == b"{" and b'"errors"' in content:
                        return content
                    raise Refused(f"HTTP {error.code}", content[:500].decode("utf-8", "replace")) from None
                if time.monotonic() > deadline:
                    raise
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    raise OSError(f"{self.url} stays away: {error}") from error
            time.sleep(PAUSE_SECONDS)
