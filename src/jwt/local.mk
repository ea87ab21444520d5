# jwt
