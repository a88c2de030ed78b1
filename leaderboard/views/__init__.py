"""Pages: form in, verb, template out."""
