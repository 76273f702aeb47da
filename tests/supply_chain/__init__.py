"""What others wrote and we ship or build with: licences, bans, sources and advisories of both dependency trees."""
