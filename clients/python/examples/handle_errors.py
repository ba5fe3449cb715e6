"""Errors: each carries a stable code, the field and the remedy, as the gateway sent them."""

from ttsq_client import BudgetExhaustedError, Client, ConnectionFailedError, InvalidRequestError, RateLimitedError

with Client.from_environment() as ttsq:
    try:
        ttsq.submit("Good morning.", voice_1="Koré")
    except InvalidRequestError as error:
        print(f"{error.code}, {error.field}: {error.remedy}")
    except BudgetExhaustedError as error:
        print(f"raise the key's budget: {error.remedy}")
    except RateLimitedError as error:
        print(f"too many requests, also after all retries; again in {error.retry_after} seconds")
    except ConnectionFailedError as error:
        print(f"the gateway cannot be reached: {error}")
