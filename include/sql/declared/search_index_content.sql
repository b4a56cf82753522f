-- Words in what users wrote: SEARCH(post_text, 'sunset') then reads only the rows that have them.
CREATE SEARCH INDEX IF NOT EXISTS content_text
ON gold.fct_user_engagement (post_text)
OPTIONS (analyzer = 'LOG_ANALYZER')
