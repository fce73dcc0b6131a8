CREATE INDEX sightings_ip ON sightings (ip);
