-- After `ttsq migrate`, as a superuser: what an autoscaler needs, which is one view of one row.
CREATE ROLE ttsq_autoscaler LOGIN PASSWORD 'choose-a-fourth';
GRANT USAGE ON SCHEMA public TO ttsq_autoscaler;
GRANT SELECT ON ttsq_scaling TO ttsq_autoscaler;
