"""How a newsletter grows: who came, who left, week by week or month by month."""
