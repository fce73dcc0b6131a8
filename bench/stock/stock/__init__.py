"""The stock recipe, as one writes it from the READMEs: what `bench.crawl` compares with. No part of the crawler."""
