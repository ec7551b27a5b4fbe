"""What tests of agentic and of its plugins stand on: scripted servers, and a conformance kit for each port."""
