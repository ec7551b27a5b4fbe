"""Settings of the store of files in a bucket."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator


def _is_address(endpoint: str | None) -> str | None:
    if endpoint is not None and urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError("it begins with https:// or http://")
    return endpoint


def _is_prefix(prefix: str) -> str:
    if prefix and (not prefix.endswith("/") or not {"", ".", ".."}.isdisjoint(prefix[:-1].split("/"))):
        raise ValueError("it ends in '/', and no part of it is empty, '.' or '..'")
    return prefix


class Settings(BaseModel):
    """Which bucket it is, where, and how to get in."""

    s3_bucket: str | None = Field(None, description="The bucket, which must be there", examples=["agentic-files"])
    s3_endpoint: Annotated[str | None, AfterValidator(_is_address)] = Field(
        None, description="The server's address; unset, Amazon's", examples=["https://minio.example.org:9000"]
    )
    s3_region: str = Field("us-east-1", min_length=1, description="The bucket's region")
    s3_access_key_id: str | None = Field(
        None, description="The key's id; unset, what the AWS command line would use", examples=["AKIAIOSFODNN7EXAMPLE"]
    )
    s3_secret_access_key: SecretStr | None = Field(None, description="The key's secret")
    s3_prefix: Annotated[str, AfterValidator(_is_prefix)] = Field(
        "", description="What all keys begin with, where a bucket holds other things too", examples=["agentic/"]
    )

    @model_validator(mode="after")
    def _key_is_whole(self) -> Settings:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY together, or neither")
        return self
