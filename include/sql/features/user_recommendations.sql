-- Feature set user_recommendations: the photos that each user should see next, the best first.
-- Parameter: @landing_hour TIMESTAMP, the day's start.
SELECT
    user_id AS entity,
    ARRAY_AGG(content_id ORDER BY recommendation_rank) AS items,
    ARRAY_AGG(score ORDER BY recommendation_rank) AS scores
FROM gold.fct_recommendations
WHERE event_date = DATE(@landing_hour)
GROUP BY user_id
ORDER BY entity
