"""The protocol, without a gateway: what is sent, how answers are read, when it is sent again."""

from __future__ import annotations

import json
import logging
import pickle
import random
import unittest
from typing import Any, Dict, List

import support  # noqa: F401  (finds the package)

import trainyard as ty
from trainyard._generated import CANCEL_JOB, CREATE_JOB, LOG, REFUSALS
from trainyard._protocol import (
    Answer,
    Backoff,
    EventParser,
    Exchange,
    Pause,
    Subscription,
    Target,
    ask,
)

TARGET = Target("http://127.0.0.1:4000/prefix/", "tyk_x")


def answer(content: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(content).encode())


def frame(cursor: str, state: str, *texts: str) -> bytes:
    chunks = [
        {
            "text": text,
            "stream": "STDOUT",
            "stepNumber": 0,
            "attempt": 1,
            "offset": 0,
            "at": "2026-01-02T03:04:05.678Z",
            "cursor": cursor,
        }
        for text in texts
    ]
    data = {"data": {"log": {"cursor": cursor, "state": state, "missed": 0, "chunks": chunks}}}
    return f"id: {cursor}\nevent: next\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class ProtocolTest(unittest.TestCase):
    def setUp(self) -> None:
        logging.getLogger("trainyard").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("trainyard").setLevel, logging.NOTSET)

    def test_a_request_goes_to_the_gateway_below_its_prefix_with_the_key(self) -> None:
        conversation = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "job_1"}})
        exchange = next(conversation)
        assert isinstance(exchange, Exchange)
        self.assertEqual(exchange.url, "http://127.0.0.1:4000/prefix/graphql")
        self.assertEqual(exchange.headers["Authorization"], "Bearer tyk_x")
        self.assertEqual(json.loads(exchange.body)["variables"], {"input": {"jobId": "job_1"}})

    def test_a_request_is_sent_again_unchanged_after_trouble_until_the_patience_has_ended(self) -> None:
        conversation = ask(
            TARGET,
            CREATE_JOB,
            {"input": {"projectId": "p", "name": "n", "idempotencyKey": "k"}},
            patience=600.0,
        )
        first = next(conversation)
        troubles: List[Any] = [
            ty.GatewayUnreachable("cut"),
            answer({}, 503),
            answer({"errors": [{"message": "full", "extensions": {"code": "UNAVAILABLE"}}]}),
            answer(
                {"errors": [{"message": "fast", "extensions": {"code": "X", "retryAfterMs": 7000}}]},
                429,
            ),
        ]
        pauses: List[float] = []
        for trouble in troubles:
            is_error = isinstance(trouble, Exception)
            pause = conversation.throw(trouble) if is_error else conversation.send(trouble)
            assert isinstance(pause, Pause)
            pauses.append(pause.seconds)
            self.assertEqual(next(conversation), first)
        self.assertGreaterEqual(pauses[3], 7.0)

        impatient = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "job_1"}}, patience=0.0)
        next(impatient)
        with self.assertRaisesRegex(ty.GatewayUnreachable, "cut"):
            impatient.throw(ty.GatewayUnreachable("cut"))

    def test_an_invalid_key_is_not_tried_again(self) -> None:
        conversation = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "job_1"}})
        next(conversation)
        errors = [{"message": "no", "extensions": {"code": "UNAUTHENTICATED", "requestId": "r1"}}]
        with self.assertRaises(ty.RequestRefused) as caught:
            conversation.send(answer({"errors": errors}, 401))
        self.assertEqual((caught.exception.code, caught.exception.request_id), ("UNAUTHENTICATED", "r1"))

    def test_an_answer_that_is_not_a_gateways_is_refused_with_its_status(self) -> None:
        for status, code in [(404, "BAD_REQUEST"), (403, "FORBIDDEN"), (200, "BAD_REQUEST")]:
            conversation = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "job_1"}})
            next(conversation)
            with self.assertRaises(ty.RequestRefused) as caught:
                conversation.send(Answer(status, {}, b"<html>"))
            self.assertEqual(caught.exception.code, code)

    def test_each_refusal_is_raised_as_its_own_class_with_its_fields(self) -> None:
        given: Dict[str, Dict[str, Any]] = {
            "AlreadyExistsError": {"existingId": "frag_1"},
            "IdempotencyConflictError": {"differingPaths": ["name"]},
            "InvalidInputError": {"issues": [{"path": ["items", "2"], "message": "is wrong."}]},
            "InvalidStateError": {"status": "SUCCEEDED", "allowed": ["QUEUED"]},
            "NotFoundError": {"id": "job_1"},
            "StaleLeaseError": {
                "step": {"id": "step_1", "number": 0, "name": "a", "status": "QUEUED"}
            },
        }
        self.assertEqual(set(given), set(REFUSALS))
        for name, fields in given.items():
            conversation = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "job_1"}})
            next(conversation)
            refusal = {"__typename": name, "code": "C", "message": "said", **fields}
            with self.assertRaises(REFUSALS[name]) as caught:
                conversation.send(answer({"data": {"cancelJob": refusal}}))
            copy = pickle.loads(pickle.dumps(caught.exception))
            self.assertEqual(vars(copy), vars(caught.exception))
        state = ty.InvalidState({"code": "C", "message": "m", **given["InvalidStateError"]})
        self.assertEqual((state.status, state.allowed), ("SUCCEEDED", ("QUEUED",)))
        wrong = ty.InvalidInput({"code": "C", "message": "m", **given["InvalidInputError"]})
        self.assertEqual(str(wrong), "items.2 is wrong.")

    def test_a_refusal_of_a_type_that_is_not_known_is_a_refused(self) -> None:
        conversation = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "job_1"}})
        next(conversation)
        refusal = {"__typename": "NewError", "code": "NEW", "message": "said"}
        with self.assertRaisesRegex(ty.Refused, "said"):
            conversation.send(answer({"data": {"cancelJob": refusal}}))

    def test_not_a_number_is_never_sent(self) -> None:
        conversation = ask(TARGET, CANCEL_JOB, {"input": {"jobId": "j", "cancelTimeoutSeconds": float("nan")}})
        with self.assertRaises(ValueError):
            next(conversation)

    def test_the_pauses_double_up_to_a_maximum(self) -> None:
        backoff = Backoff(0.25, 15.0)
        pauses = [backoff.failed() for _ in range(10)]
        for i, pause in enumerate(pauses):
            full = min(15.0, 0.25 * 2.0**i)
            self.assertTrue(full / 2 <= pause <= full, pauses)
        backoff.works()
        self.assertLessEqual(backoff.failed(), 0.25)


class StreamTest(unittest.TestCase):
    def setUp(self) -> None:
        logging.getLogger("trainyard").setLevel(logging.CRITICAL)
        self.addCleanup(logging.getLogger("trainyard").setLevel, logging.NOTSET)

    def subscription(self, **more: Any) -> Subscription[Any, Any]:
        return Subscription(TARGET, LOG, {"jobId": "job_1"}, **more)

    def test_events_are_read_however_the_bytes_are_cut(self) -> None:
        stream = b":\n\n" + frame("c1", "REPLAYING", "größer\r\n") + b": x\r\n\r\n"
        stream += frame("c2", "ENDED", "😀").replace(b"\n", b"\r\n") + b"event: complete\ndata:\n\n"
        whole = EventParser().feed(stream)
        self.assertEqual([name for name, _ in whole], ["next", "next", "complete"])
        pick = random.Random(7)
        for _ in range(200):
            parser, events, at = EventParser(), [], 0
            while at < len(stream):
                end = at + pick.randint(1, 40)
                events += parser.feed(stream[at:end])
                at = end
            self.assertEqual(events, whole)

    def test_a_stream_goes_on_from_the_cursor_of_the_last_whole_frame(self) -> None:
        subscription = self.subscription()
        self.assertEqual(json.loads(subscription.request().body)["variables"], {"jobId": "job_1"})
        second = frame("c2", "LIVE", "b")
        frames = subscription.feed(frame("c1", "REPLAYING", "a") + second[: len(second) // 2])
        self.assertEqual([each.chunks[0].text for each in frames], ["a"])
        subscription.lost(ty.GatewayUnreachable("cut"))
        variables = json.loads(subscription.request().body)["variables"]
        self.assertEqual(variables, {"jobId": "job_1", "after": "c1"})
        self.assertEqual([each.chunks[0].text for each in subscription.feed(second)], ["b"])
        subscription.feed(frame("c3", "ENDED"))
        self.assertTrue(subscription.is_over)

    def test_a_refused_stream_ends_and_a_fault_is_tried_five_times(self) -> None:
        def ended(code: str) -> bytes:
            return (
                'event: next\ndata: {"errors":[{"message":"m","extensions":{"code":"%s"}}]}\n\n' % code
            ).encode()

        subscription = self.subscription()
        with self.assertRaises(ty.RequestRefused) as caught:
            subscription.feed(ended("UNAUTHENTICATED"))
        with self.assertRaises(ty.RequestRefused):
            subscription.lost(caught.exception)
        faulty = self.subscription()
        fault = ty.RequestRefused("INTERNAL_ERROR", "m")
        for _ in range(4):
            faulty.lost(fault)
        with self.assertRaises(ty.RequestRefused):
            faulty.lost(fault)

    def test_a_gateway_that_was_never_there_is_given_up_and_a_lost_one_is_not(self) -> None:
        away = ty.GatewayUnreachable("away")
        with self.assertRaises(ty.GatewayUnreachable):
            self.subscription(first_patience=0.0).lost(away)
        served = self.subscription(first_patience=0.0)
        served.feed(frame("c1", "LIVE"))
        self.assertGreater(served.lost(away), 0.0)


if __name__ == "__main__":
    unittest.main()
