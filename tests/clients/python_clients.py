"""Speaks one text with LiteLLM and one with LangChain's OpenAI package; prints what each returned as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import litellm
import openai
from langchain_openai import OpenAI as LangChainOpenAI

base_url, key, text = sys.argv[1:4]


def seen(content: bytes) -> dict[str, Any]:
    """What a test compares."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def main() -> None:
    """Print one line a client."""
    answers: dict[str, Any] = {}
    spoken = litellm.speech(model="openai/tts-1", voice="alloy", input=text, api_base=base_url, api_key=key)
    answers["litellm"] = seen(spoken.content)
    try:
        litellm.speech(model="openai/tts-1", voice="aloy", input=text, api_base=base_url, api_key=key)
    except openai.BadRequestError as error:
        answers["litellm_error"] = str(error)
    # LangChain has no class for speech: its users speak with the SDK's client that it configures.
    chain = LangChainOpenAI(model="tts-1", base_url=base_url, api_key=key)
    speech: openai.resources.audio.Speech = chain.client._client.audio.speech
    answers["langchain"] = seen(speech.create(model="tts-1", voice="alloy", input=text).content)
    print(json.dumps(answers))


main()
