"""Files in a bucket of any store that speaks S3."""
