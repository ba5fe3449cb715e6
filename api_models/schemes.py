"""Authentication schemes of inbound webhooks."""

from __future__ import annotations

from enum import StrEnum


class Scheme(StrEnum):
    """How a sender authenticates."""

    STANDARD = "standard"
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""
    GITHUB = "github"
    """`X-Hub-Signature-256: sha256=…` over the body; `X-GitHub-Delivery` identifies the delivery."""
    STRIPE = "stripe"
    """`Stripe-Signature: t=…,v1=…` over time and body; the payload's `id` identifies the delivery."""
    SHOPIFY = "shopify"
    """`X-Shopify-Hmac-Sha256` over the body, in base64; `X-Shopify-Webhook-Id` identifies the delivery."""
    HMAC = "hmac"
    """HMAC-SHA-256 over the body, in hex or base64, in a header of your choice."""
    BEARER = "bearer"
    """`Authorization: Bearer …`."""
    BASIC = "basic"
    """`Authorization: Basic …`; the secret is `user:password`."""
