"""Pages made by script: a headless Chromium that reaches nothing but what it is handed, and what its pages show."""
