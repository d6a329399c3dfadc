"""OpenAI's and Anthropic's clients, and what they tell their users.

    client.py URL

Each line of standard input is a call in JSON, and each line of output what came of it:

    {"api": "chat", "stream": true, "token": "...", "headers": {"x-model-fault": "none"}, "arguments": {"model": "m"}}

`api` is chat, completions, embeddings, responses or messages. `stream` is true, or "helper" for the class of the client
that puts a stream together. `token` is the client's API key, which both send as `Authorization: Bearer`. `retries` replaces
the client's own number, `base` is a path before the API's, and `arguments` are added to those below.
"""

import json
import os
import sys
import time

import anthropic
import httpx2
import openai

ARGUMENTS = {
    "chat": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "How are you?"}]},
    "completions": {"model": "gpt-3.5-turbo-instruct", "prompt": "How are"},
    "embeddings": {"model": "text-embedding-3-small", "input": ["one", "another"]},
    "responses": {"model": "gpt-4o-mini", "input": "How are you?"},
    "messages": {
        "model": "claude-sonnet-5",
        "max_tokens": 8,
        "messages": [{"role": "user", "content": "How are you?"}],
    },
}


class Answers(list):
    """The HTTP answers of one call: more than one where the client tried again."""

    def client(self):
        return httpx2.Client(event_hooks={"response": [self.append]}, timeout=20, trust_env=False)


def connect(call, url, answers):
    """The client's own defaults, so that retries are those that users get."""
    options = {
        "api_key": call.get("token", "no-token"),
        "http_client": answers.client(),
        "default_headers": call.get("headers", {}),
    }
    if "retries" in call:
        options["max_retries"] = call["retries"]
    url += call.get("base", "")
    if call["api"] == "messages":
        return anthropic.Anthropic(base_url=url, **options)
    return openai.OpenAI(base_url=f"{url}/v1", **options)


def chat(choices):
    return {
        "texts": [choice.message.content for choice in choices],
        "end": [choice.finish_reason for choice in choices],
    }


def document(api, answer):
    told = {"model": answer.model, "usage": answer.usage and answer.usage.model_dump()}
    if api != "embeddings":
        told["id"] = answer.id
    if api == "chat":
        told |= chat(answer.choices)
    elif api == "completions":
        told["texts"] = [choice.text for choice in answer.choices]
        told["end"] = [choice.finish_reason for choice in answer.choices]
    elif api == "embeddings":
        told["vectors"] = [embedding.embedding for embedding in answer.data]
    elif api == "responses":
        told |= {"texts": [answer.output_text], "end": [answer.status]}
    else:
        told |= {"texts": [block.text for block in answer.content], "end": [answer.stop_reason]}
    return told


def stream(api, events):
    """What a user of the bare events would put together."""
    told = {"texts": {}, "end": [], "usage": None, "events": 0, "without_choices": 0}

    def say(index, text):
        told["texts"][index] = told["texts"].get(index, "") + (text or "")

    for event in events:
        told["events"] += 1
        if api in ("chat", "completions"):
            told["model"], told["id"] = event.model, event.id
            told["without_choices"] += not event.choices
            for choice in event.choices:
                say(choice.index, choice.delta.content if api == "chat" else choice.text)
                told["end"] += [choice.finish_reason] * bool(choice.finish_reason)
            if event.usage:
                told["usage"] = event.usage.model_dump()
        elif api == "responses":
            if event.type == "response.output_text.delta":
                say(0, event.delta)
            elif event.type in ("response.completed", "response.incomplete"):
                whole = document(api, event.response)
                told |= {name: whole[name] for name in ("id", "model", "end", "usage")}
        elif event.type == "message_start":
            told["model"], told["id"] = event.message.model, event.message.id
            told["usage"] = event.message.usage and event.message.usage.model_dump()
        elif event.type == "content_block_delta":
            say(event.index, event.delta.text)
        elif event.type == "message_delta":
            told["end"].append(event.delta.stop_reason)
            # The last value of each number counts.
            last = event.usage.model_dump() if event.usage else {}
            told["usage"] = (told["usage"] or {}) | {k: v for k, v in last.items() if v is not None}
    told["texts"] = [told["texts"][index] for index in sorted(told["texts"])]
    return told


def resource(api, client):
    return client.chat.completions if api == "chat" else getattr(client, api)


def run(call, url, answers):
    api, arguments = call["api"], {**ARGUMENTS[call["api"]], **call.get("arguments", {})}
    with connect(call, url, answers) as client:
        if call.get("stream") == "helper":
            with resource(api, client).stream(**arguments) as events:
                final = {
                    "chat": "get_final_completion",
                    "responses": "get_final_response",
                    "messages": "get_final_message",
                }[api]
                return document(api, getattr(events, final)())
        if call.get("stream"):
            with resource(api, client).create(**arguments, stream=True) as events:
                return stream(api, events)
        return document(api, resource(api, client).create(**arguments))


def refusal(error):
    """What a user may read of an exception."""
    names = ("status_code", "code", "type", "param", "message", "body")
    return {
        "class": type(error).__name__,
        "text": str(error),
        **{name: getattr(error, name, None) for name in names},
    }


def tell(call, url):
    answers, begin = Answers(), time.monotonic()
    try:
        told = run(call, url, answers)
    except (openai.OpenAIError, anthropic.AnthropicError, httpx2.HTTPError) as error:
        told = {"refused": refusal(error)}
    return {
        "api": call["api"],
        **told,
        "tries": len(answers),
        "seconds": time.monotonic() - begin,
        "status": answers[-1].status_code if answers else None,
        "headers": dict(answers[-1].headers) if answers else {},
    }


# What a developer has set for real providers.
for name in list(os.environ):
    if name.startswith(("OPENAI_", "ANTHROPIC_")):
        del os.environ[name]

for line in sys.stdin:
    print(json.dumps(tell(json.loads(line), sys.argv[1])), flush=True)
