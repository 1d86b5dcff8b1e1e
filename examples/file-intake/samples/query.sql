-- Hours in which less water arrived than on any healthy day.
CREATE VIEW low_hours AS
SELECT time, flow, flow - (SELECT avg(flow) FROM reading) AS difference
FROM reading
WHERE flow < 97
ORDER BY time;

SELECT date(time) AS day, count(*) AS hours, min(flow) AS lowest
FROM low_hours
GROUP BY day
HAVING hours > 1;
